"""What a person hands in is looked at once, here, before any other part of the program sees it.

One function per kind of input, the same for the dashboard and the command line. Each returns what the
program works with, or raises a `UserError` of one line that says what to do.

>>> check_text("  A   fine film. ")
'A fine film.'
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_WORDS = 500
MAX_CHARACTERS = 5000
MAX_ARRAY_BYTES = 32 * 2**20
MAX_PICTURE_BYTES = 16 * 2**20
MAX_PICTURE_SIDE = 4096
MAX_PICTURE_PIXELS = 64_000_000
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

Source = str | Path | bytes | BinaryIO


def check_text(text: object) -> str:
    """A text to classify: up to 500 words and 5000 characters, with something visible in it.

    The limits are those of a demonstration, not of a model; a model that reads fewer tokens cuts the end off.

    Returns:
        The text with every run of white space made one blank, and none at the ends.

    Raises:
        UserError: not a string; empty, blank or invisible; too long; not encodable as UTF-8.

    >>> try:
    ...     check_text(" ")
    ... except UserError as error:
    ...     print(error)
    the text is empty; write at least one word
    """
    if not isinstance(text, str):
        raise UserError(f"a text is expected, not {type(text).__name__}; pass one string")
    words = text.split()
    clean = " ".join(words)
    if not any(character.isprintable() and character != " " for character in clean):
        raise UserError("the text is empty; write at least one word")
    if len(words) > MAX_WORDS:
        raise UserError(f"the text has {len(words):,} words; shorten it to {MAX_WORDS} or fewer")
    if len(clean) > MAX_CHARACTERS:
        raise UserError(f"the text has {len(clean):,} characters; shorten it to {MAX_CHARACTERS:,} or fewer")
    if any("\ud800" <= character <= "\udfff" for character in clean):
        raise UserError("the text holds half a character (a lone surrogate); paste it again as plain UTF-8")
    return clean


def check_gap(text: object) -> str:
    """A text with one gap, ___ or [MASK].

    Returns:
        The text as `check_text` gives it, with [MASK] in the gap.

    Raises:
        UserError: no such text, no gap in it, or several.

    >>> check_gap("The cat sat on the ____.")
    'The cat sat on the [MASK].'
    """
    found = re.sub(r"_{2,}", "[MASK]", check_text(text))
    count = found.count("[MASK]")
    if count != 1:
        said = f"{count} gaps" if count else "no gap"
        raise UserError(f"the text has {said}; write ___ where one word is missing")
    return found


def check_numbers(text: str, name: str, most: int) -> list[float]:
    """Numbers that a person writes, with blanks, commas or semicolons between them.

    A comma inside a number is a decimal one where blanks or semicolons stand between the numbers and none has a point.

    Args:
        text: what was written.
        name: what the list is called in the line of an error.
        most: how many there may be.

    Raises:
        UserError: none or too many; something that is no finite number; a comma that may be either.

    >>> check_numbers("0.5, -2;1e-3", "a", most=16), check_numbers("0,5 -0,3; 2", "a", most=16)
    ([0.5, -2.0, 0.001], [0.5, -0.3, 2.0])
    """
    words = re.split(r"[\s,;]+", _with_points(text, name).strip(" \t\r\n,;"))
    if words == [""]:
        raise UserError(f"{name} is empty; write 1 to {most} numbers, such as 0.5 -1.2 3")
    if len(words) > most:
        raise UserError(f"{name} has {len(words):,} numbers; write at most {most}")
    values = []
    for word in words:
        try:
            values.append(float(word.replace("\u2212", "-")))
        except ValueError:
            raise UserError(
                f"{name} holds {word[:20]!r}, which is no number; write such as 0.5 -1.2 3"
            ) from None
        if not math.isfinite(values[-1]):
            raise UserError(f"{name} holds {word[:20]}; write finite numbers")
    return values


def _with_points(text: str, name: str) -> str:
    """The text with decimal points for decimal commas; what may be read in two ways is refused."""
    # A comma before a blank, a sign or another comma is no decimal one, and two in a word are none either
    words = re.split(r"[\s;]+|,(?=[\s;,]|$)", text.strip(" \t\r\n,;"))
    decimal = [word for word in words if re.fullmatch(r"[-+\u2212]?\d+,\d+(e[-+]?\d+)?", word, re.IGNORECASE)]
    if not decimal:
        return text
    others = [word for word in words if word not in decimal]
    if len(words) == 1 or any({",", "."} & set(word) for word in others):
        number = decimal[0][:20]
        one, two = number.replace(",", "."), number.replace(",", " ")
        raise UserError(f"{name}: {number} may be one number or two; write {one} or {two}")
    return " ".join(word.replace(",", ".") for word in words)


def _read(source: Source, limit: int, what: str) -> bytes:
    """The bytes of a path, of an open file, or bytes themselves; never more than `limit` of them."""
    if isinstance(source, bytes):
        content = source
    elif isinstance(source, str | Path):
        try:
            with open(source, "rb") as file:
                content = file.read(limit + 1)
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise UserError(f"cannot read {str(source)!r}: {reason}; give the path of {what}") from error
    else:
        content = source.read(limit + 1)
    if not content:
        raise UserError(f"the file is empty; give {what}")
    if len(content) > limit:
        raise UserError(f"the file is larger than {limit // 2**20} MiB; give a smaller one")
    return content


def check_array(array: Any) -> NDArray[np.float32]:
    """An array of measurements: 1 to 4 axes of finite floating-point numbers.

    Integers and booleans are refused rather than converted, because they are usually class labels, or pixels
    that want scaling first.

    Args:
        array: numpy array of a floating-point dtype, any byte order.

    Returns:
        The same values, same shape, float32, C-ordered; a copy.

    Raises:
        UserError: not an array; another dtype; 0 axes, or 5 and more; no values; NaN or infinity, also where a
            value does not fit into float32.

    >>> check_array(np.array([[0.5, -1.0]])).dtype.name
    'float32'
    """
    if not isinstance(array, np.ndarray):
        raise UserError(f"a numpy array is expected, not {type(array).__name__}; convert with numpy.asarray")
    _check_dtype(array.dtype)
    _check_shape(array.shape)
    with np.errstate(over="ignore"):
        result = np.array(array, np.float32, order="C")
    if not np.isfinite(result).all():
        bad = int((~np.isfinite(result)).sum())
        raise UserError(
            f"the array has {bad:,} NaN or infinite values (float32 ends at 3.4e38); replace them first"
        )
    return result


def _check_dtype(dtype: np.dtype) -> None:
    if dtype.kind in "iub":
        raise UserError(f"the array holds {dtype.name} values; convert it with array.astype('float32')")
    if dtype.kind == "c":
        raise UserError(f"the array holds {dtype.name} values; take array.real or abs(array)")
    if dtype.kind != "f":
        raise UserError(f"the array's dtype is {dtype.name}, not numbers; save one array of float32")


def _check_shape(shape: tuple[int, ...]) -> None:
    if not 1 <= len(shape) <= 4:
        raise UserError(f"the array has {len(shape)} axes; reshape it to between 1 and 4")
    if math.prod(shape) == 0:
        raise UserError(f"the array of shape {shape} has no values; give at least one")


def load_array(source: Source) -> NDArray[np.float32]:
    """An uploaded .npy file, under the conditions of `check_array` and of at most 32 MiB.

    Nothing in the file is executed: a pickle is refused by its first bytes, object arrays by their dtype, and
    memory is only asked for after the header has been held against the file's size.

    Args:
        source: a path, the file's bytes, or a binary file.

    Returns:
        1 to 4 axes, float32, C-ordered, finite.

    Raises:
        UserError: unreadable, too large, not a .npy file, damaged, or refused by `check_array`.

    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 3)))
    >>> load_array(file.getvalue()).shape
    (2, 3)
    """
    content = _read(source, MAX_ARRAY_BYTES, "a .npy file saved by numpy.save")
    if not content.startswith(b"\x93NUMPY"):
        if content.startswith(b"PK"):
            raise UserError("this is an .npz or zip archive; save one array of it with numpy.save")
        if content.startswith(b"\x80"):
            raise UserError("this is a pickle, which is never opened here; save the array with numpy.save")
        raise UserError("this is not a .npy file; save the array with numpy.save")
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran_order, dtype = readers[version](file)
    except Exception as error:  # numpy's header parser raises many kinds
        raise UserError("the .npy file's header is damaged; save the array again with numpy.save") from error
    _check_dtype(dtype)
    _check_shape(shape)
    expected, present = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if min(shape) < 0 or expected != present:
        raise UserError(
            f"the .npy file is damaged: shape {shape} of {dtype.name} does not fit its {present:,} bytes; save it again"
        )
    flat = np.frombuffer(content, dtype, offset=file.tell())
    return check_array(flat.reshape(shape, order="F" if fortran_order else "C"))


def load_picture(source: Source) -> NDArray[np.uint8]:
    """An uploaded picture (PNG, JPEG, WebP, GIF or BMP) of at most 16 MiB and 4096 pixels a side.

    A camera's rotation is applied, transparency becomes white, and of an animation the first picture is taken. Of 16
    bits per colour, as scanners and microscopes write them, the upper eight are kept. A larger JPEG, of up to 64
    million pixels, is read at a half, a quarter or an eighth of its size.

    Args:
        source: a path, the file's bytes, or a binary file.

    Returns:
        (H, W, 3) uint8: red, green, blue.

    Raises:
        UserError: unreadable, too large, no such picture, or damaged.

    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("L", (4, 2), 255).save(file, "PNG")
    >>> load_picture(file.getvalue()).shape
    (2, 4, 3)
    """
    from PIL import Image, ImageOps

    content = _read(source, MAX_PICTURE_BYTES, "a picture")
    try:
        opened = Image.open(io.BytesIO(content), formats=PICTURE_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"the picture is too large; shrink it to {MAX_PICTURE_SIDE} pixels a side") from error
    except Exception as error:  # a decoder raises what it likes on bytes that are none of its own
        names = ", ".join(PICTURE_FORMATS[:-1])
        raise UserError(f"this is not a picture; give {names} or {PICTURE_FORMATS[-1]}") from error
    parts = next((each for each in (1, 2, 4, 8) if max(opened.size) <= each * MAX_PICTURE_SIDE), 1)
    if parts > 1 and math.prod(opened.size) <= MAX_PICTURE_PIXELS:
        wide, high = opened.size
        opened.draft(None, (max(wide // parts, 1), max(high // parts, 1)))
    if max(opened.size) > MAX_PICTURE_SIDE:
        raise UserError(f"the picture is too large; shrink it to {MAX_PICTURE_SIDE} pixels a side")
    if opened.mode in ("I", "F"):
        raise UserError("the picture has 32 bits per colour, of no known range; save it with 8")
    try:
        turned = ImageOps.exif_transpose(opened)
        if turned.mode.startswith("I;16"):
            turned = Image.fromarray((np.asarray(turned) >> 8).astype(np.uint8))
        coloured = turned.convert("RGBA")
    except Exception as error:
        raise UserError("the picture is damaged or cut off; save it again") from error
    paper = Image.new("RGBA", coloured.size, "white")
    return np.array(Image.alpha_composite(paper, coloured).convert("RGB"))
