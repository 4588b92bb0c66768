import io
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from binviz.data import validate
from binviz.errors import UserError


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(array):
    file = io.BytesIO()
    np.savez(file, a=array)
    return file.getvalue()


def header(text, payload=b"", version=(1, 0)):
    """A .npy file with a hand-written header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode("latin1") + payload


def picture(mode="RGB", size=(6, 4), kind="PNG", **options):
    file = io.BytesIO()
    Image.new(mode, size, **options).save(file, kind)
    return file.getvalue()


def line_or_value(function, argument):
    """What the function returns, or None where it refuses in one line; anything else is raised."""
    try:
        return function(argument)
    except UserError as error:
        if "\n" in str(error):
            raise
        return None


class Harm:
    """Unpickling one of these would be noticed."""

    opened = False

    def __reduce__(self):
        return setattr, (Harm, "opened", True)


BAD_TEXTS = {
    "empty": ("", "empty"),
    "blank": (" \n\t ", "empty"),
    "no-break blanks": ("\u00a0\u2003", "empty"),
    "invisible": ("\u200b\u200d\ufeff", "empty"),
    "control characters": ("\x00\x07", "empty"),
    "10,000 words": ("word " * 10_000, "10,000 words"),
    "501 words": ("a " * 501, "501 words"),
    "one endless word": ("a" * 5001, "5,001 characters"),
    "lone surrogate": ("good \ud83d", "surrogate"),
    "bytes": (b"good", "bytes"),
    "none": (None, "NoneType"),
    "number": (3, "int"),
}


@pytest.mark.parametrize(("text", "message"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_bad_text_gets_one_line(text, message):
    with pytest.raises(UserError, match=rf"^[^\n]*{message}[^\n]*$"):
        validate.check_text(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("good", "good"),
        ("  a \n fine\tfilm  ", "a fine film"),
        ("a " * 500, ("a " * 500).strip()),
        ("a" * 5000, "a" * 5000),
        ("?", "?"),
        ("很好 👍", "很好 👍"),
    ],
    ids=["word", "white space", "500 words", "5000 characters", "a sign", "beyond ASCII"],
)
def test_good_text(text, clean):
    assert validate.check_text(text) == clean


@given(st.text())
def test_any_text_is_either_clean_or_refused_in_one_line(text):
    clean = line_or_value(validate.check_text, text)
    if clean is not None:
        assert clean == validate.check_text(clean)
        clean.encode()


FLOATS = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
BAD_ARRAYS = {
    "empty file": (b"", "empty"),
    "text": (b"1,2,3\n", "not a .npy file"),
    "truncated magic": (b"\x93NUM", "not a .npy file"),
    "pickle renamed": (pickle.dumps(Harm()), "pickle"),
    "npz": (npz(np.zeros(2)), "archive"),
    "object array": (npy(np.array([Harm()], object), allow_pickle=True), "object"),
    "0 axes": (npy(np.float32(1)), "0 axes"),
    "5 axes": (npy(np.zeros((1,) * 5)), "5 axes"),
    "32 axes": (npy(np.zeros((1,) * 32)), "32 axes"),
    "no values": (npy(np.zeros((3, 0))), "no values"),
    "nan": (npy(np.array([1, np.nan])), "1 NaN"),
    "infinite": (npy(np.array([np.inf, -np.inf])), "2 NaN"),
    "beyond float32": (npy(np.array([1e300])), "infinite"),
    "int64": (npy(np.arange(3)), r"int64.*astype\('float32'\)"),
    "uint8": (npy(np.zeros(3, np.uint8)), r"uint8.*astype\('float32'\)"),
    "bool": (npy(np.array([True])), r"bool.*astype\('float32'\)"),
    "complex": (npy(np.array([1j])), "complex128"),
    "str": (npy(np.array(["a"])), "not numbers"),
    "bytes": (npy(np.array([b"a"])), "not numbers"),
    "dates": (npy(np.array(["2020-01-01"], "datetime64[D]")), "not numbers"),
    "fields": (npy(np.zeros(2, [("x", "f4")])), "not numbers"),
    "too large": (npy(np.zeros(2**23 + 1, np.float32)), "larger than 32 MiB"),
    "cut off": (npy(np.zeros(10))[:-1], "does not fit"),
    "bytes at the end": (npy(np.zeros(10)) + b"!", "does not fit"),
    "header only": (b"\x93NUMPY\x01\x00", "header is damaged"),
    "header claims 8 TB": (header(FLOATS.replace("2, 3", "2000000, 1000000")), "does not fit"),
    "negative axis": (header(FLOATS.replace("2, 3", "-2, -3"), bytes(24)), "damaged"),
    "header is code": (header("__import__('os').abort()\n"), "header is damaged"),
    "header is deep": (header("(" * 9000 + "\n"), "header is damaged"),
    "unknown version": (b"\x93NUMPY\x09\x00" + bytes(100), "header is damaged"),
    "missing file": ("no/such/file.npy", "cannot read"),
    "a folder": (".", "cannot read"),
    "nul in the path": ("a\0b", "cannot read"),
}


@pytest.mark.parametrize(("source", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_array_gets_one_line(source, message):
    with pytest.raises(UserError, match=rf"^[^\n]*{message}[^\n]*$"):
        validate.load_array(source)
    assert not Harm.opened


GOOD_ARRAYS = {
    "vector": np.array([1.5, -2]),
    "float16": np.ones((2, 2), np.float16),
    "big endian": np.array([1.0, 2.0], ">f8"),
    "long double": np.array([1.0, 2.0], np.longdouble),
    "column order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "four axes": np.zeros((1, 2, 3, 4), np.float32),
    "largest float32": np.array([np.finfo(np.float32).max]),
}


@pytest.mark.parametrize("form", ["bytes", "file", "path"])
def test_good_array(form, tmp_path):
    for array in GOOD_ARRAYS.values():
        content = npy(array)
        path = tmp_path / "a.npy"
        path.write_bytes(content)
        loaded = validate.load_array({"bytes": content, "file": io.BytesIO(content), "path": path}[form])
        assert loaded.dtype == np.float32
        assert loaded.flags.c_contiguous
        assert loaded.flags.writeable
        np.testing.assert_array_equal(loaded, array.astype(np.float32))


def test_header_of_version_2():
    assert validate.load_array(header(FLOATS, bytes(24), version=(2, 0))).shape == (2, 3)


@given(st.binary(max_size=200), st.integers(0, 127))
def test_damaged_bytes_never_get_past_the_line(noise, position):
    content = bytearray(npy(np.ones((2, 3), np.float32)))
    content[position : position + len(noise)] = noise
    for damaged in (bytes(content), noise):
        line_or_value(validate.load_array, damaged)


@pytest.mark.parametrize("array", [[1.0], 1.0, None, "a", memoryview(b"abcd")])
def test_only_arrays_are_arrays(array):
    with pytest.raises(UserError, match="numpy array"):
        validate.check_array(array)


BAD_PICTURES = {
    "empty": (b"", "empty"),
    "text": (b"not a picture", "not a picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    "array": (npy(np.zeros(3)), "not a picture"),
    "cut off": (picture(size=(640, 640), kind="JPEG")[:1000], "damaged"),
    "too wide": (picture("1", (4097, 1)), "too large"),
    "bomb": (picture("1", (20_000, 10_000)), "too large"),
    "too many bytes": (bytes(16 * 2**20 + 1), "larger than 16 MiB"),
    "12,000 pixels": (picture("1", (12_000, 2)), "too large"),
    "12,000 pixels a side, JPEG": (picture("L", (12_000, 12_000), "JPEG"), "too large"),
    "animation, cut off": (picture("P", (64, 64), "GIF")[:40], "damaged"),
    "missing": ("nothing.png", "cannot read"),
}


@pytest.mark.parametrize(("source", "message"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_bad_picture_gets_one_line(source, message):
    with pytest.raises(UserError, match=rf"^[^\n]*{message}[^\n]*$"):
        validate.load_picture(source)


def animation():
    """A red picture, then a blue one."""
    file = io.BytesIO()
    first, second = (Image.new("RGB", (6, 4), colour) for colour in ("red", "blue"))
    first.save(file, "GIF", save_all=True, append_images=[second])
    return file.getvalue()


GOOD_PICTURES = {
    "png": picture(color=(1, 2, 3)),
    "grey": picture("L", color=7),
    "palette": picture("P", kind="GIF"),
    "jpeg": picture(kind="JPEG"),
    "webp": picture(kind="WEBP"),
    "bmp": picture(kind="BMP"),
    "one bit": picture("1"),
    "transparent": picture("RGBA"),
    "cmyk": picture("CMYK", kind="JPEG"),
    "16 bits": picture("I;16", color=1 << 15),
    "grey and transparent": picture("LA"),
    "animation": animation(),
}


def test_good_picture():
    for content in GOOD_PICTURES.values():
        loaded = validate.load_picture(io.BytesIO(content))
        assert loaded.shape == (4, 6, 3)
        assert loaded.dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("png", (1, 2, 3)),
        ("grey", (7, 7, 7)),
        ("16 bits", (128,) * 3),
        ("cmyk", (255,) * 3),
        ("animation", (255, 0, 0)),
    ],
)
def test_a_picture_keeps_its_colour(name, colour):
    loaded = validate.load_picture(GOOD_PICTURES[name])
    np.testing.assert_allclose(loaded, np.broadcast_to(colour, loaded.shape), atol=2)


def test_the_least_and_the_largest_picture():
    assert validate.load_picture(picture(size=(1, 1), color=(9, 8, 7))).tolist() == [[[9, 8, 7]]]
    assert validate.load_picture(picture("1", (4096, 2))).shape == (2, 4096, 3)
    # A telephone's photograph; JPEGs can be read at a part of their size
    assert validate.load_picture(picture("L", (8064, 16), "JPEG")).shape == (8, 4032, 3)
    assert validate.load_picture(picture("L", (12_000, 40), "JPEG")).shape == (10, 3000, 3)


def test_a_text_called_a_picture(tmp_path):
    (tmp_path / "a.png").write_text("no picture", "utf-8")
    with pytest.raises(UserError, match="not a picture"):
        validate.load_picture(tmp_path / "a.png")


def test_transparency_is_white_and_the_camera_rotation_applied():
    assert validate.load_picture(GOOD_PICTURES["transparent"]).min() == 255
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    file = io.BytesIO()
    Image.new("RGB", (6, 4)).save(file, "JPEG", exif=exif)
    assert validate.load_picture(file.getvalue()).shape == (6, 4, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a is empty"),
        (" ,; ", "a is empty"),
        ("1 two 3", "'two', which is no number"),
        ("1 nan", "finite"),
        ("-inf", "finite"),
        ("1e999", "finite"),
        ("1 " * 17, "17 numbers"),
        ("1,,x" + "y" * 10_000, "which is no number"),
        ("0x10", "no number"),
        ("0,5", "0,5 may be one number or two; write 0.5 or 0 5"),
        ("0.5 0,3", "may be one number or two"),
        ("1,2,3 4,5", "4,5 may be one number or two"),
    ],
    ids=[
        *("empty", "separators", "word", "nan", "infinite", "overflow", "many", "long", "hexadecimal"),
        *("one comma", "point and comma", "commas"),
    ],
)
def test_bad_numbers_get_one_line(text, message):
    with pytest.raises(UserError, match=message) as caught:
        validate.check_numbers(text, "a", most=16)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 120


@pytest.mark.parametrize("text", ["1 -2.5 0", "1,-2.5,0", " 1;\t-2.5\n0, ", "1.0 \u22122.5 -0"], ids=repr)
def test_good_numbers(text):
    assert validate.check_numbers(text, "a", most=3) == [1, -2.5, 0]


@pytest.mark.parametrize(
    "text", ["1 -2,5 0", "1,0 \u22122,5 0,0", "1,0; -2,5; 0", "1,0, -2,5, 0,0", "1;-2,5e0;0"], ids=repr
)
def test_numbers_with_decimal_commas(text):
    assert validate.check_numbers(text, "a", most=3) == [1, -2.5, 0]


@given(st.text(max_size=60))
def test_any_numbers_are_either_finite_or_refused_in_one_line(text):
    values = line_or_value(lambda text: validate.check_numbers(text, "a", most=16), text)
    assert values is None or np.isfinite(values).all()
