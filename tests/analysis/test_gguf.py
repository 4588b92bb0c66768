"""GGUF: values against definitions that are written out, files that lie, and what a checkpoint holds."""

import contextlib
import random
import struct
import tracemalloc

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from binviz import UserError, cli
from binviz.analysis import contents, gguf_header, gguf_values, scan
from binviz.analysis.contents import summed_up
from binviz.analysis.gguf_header import header_of

F = np.float32
TYPES = gguf.GGMLQuantizationType


def half(two):
    return F(struct.unpack("<e", bytes(two))[0])


def ternary(byte, place):
    """The place-th of five base-3 digits in a byte that holds the fraction of 243."""
    return ((int(byte) * 3**place) % 256 * 3 // 256) - 1


def q1_0(b):
    return [half(b[:2]) * F(1 if b[2 + i // 8] >> i % 8 & 1 else -1) for i in range(128)]


def q4_1(b):
    return [F(b[4 + i % 16] >> 4 * (i // 16) & 15) * half(b[:2]) + half(b[2:4]) for i in range(32)]


def tq1_0(b):
    digits = [ternary(b[i % 32], i // 32) for i in range(160)]
    digits += [ternary(b[32 + i % 16], i // 16) for i in range(80)]
    digits += [ternary(b[48 + i % 4], i // 4) for i in range(16)]
    return [half(b[52:]) * F(digit) for digit in digits]


def tq2_0(b):
    return [
        half(b[64:]) * F(int(b[i // 128 * 32 + i % 32] >> 2 * (i % 128 // 32) & 3) - 1) for i in range(256)
    ]


#: Type -> one block by definition, its bytes, and where its halves stand.
NAIVE = {
    "Q1_0": (q1_0, 18, (0,)),
    "Q4_1": (q4_1, 20, (0, 2)),
    "TQ1_0": (tq1_0, 54, (52,)),
    "TQ2_0": (tq2_0, 66, (64,)),
    "F32": (lambda b: [F(struct.unpack("<f", bytes(b))[0])], 4, ()),
    "F16": (lambda b: [half(b)], 2, ()),
    "BF16": (lambda b: [F(struct.unpack("<f", b"\0\0" + bytes(b))[0])], 2, ()),
}


def blocks_of(kind, count, seed=0):
    _, width, halves = NAIVE[kind]
    dice = np.random.default_rng(seed)
    blocks = dice.integers(0, 256, (count, width), dtype=np.uint8)
    for at in halves:
        blocks[:, at : at + 2] = dice.normal(size=(count, 1)).astype("<f2").view(np.uint8)
    return blocks


def written(path, tensors, **keys):
    """A file by gguf's own writer: name -> (type, bytes (rows, bytes of a row))."""
    writer = gguf.GGUFWriter(path, "made")
    writer.add_array("tokenizer.ggml.tokens", ["a", "", "é"])
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.5])
    writer.add_bool("made.flag", True)
    for key, value in keys.items():
        writer.add_uint16(key.replace("_", "."), value)
    for name, (kind, rows) in tensors.items():
        if kind in ("F32", "F16"):
            writer.add_tensor(name, rows.view(f"<f{2 if kind == 'F16' else 4}"))
        else:
            writer.add_tensor(name, rows, raw_dtype=TYPES[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", NAIVE)
def test_values_are_those_of_the_definition(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_values, "_NUMBERS", 512)  # several steps, the last one short
    define, width, halves = NAIVE[kind]
    blocks = blocks_of(kind, 15)
    path = written(
        tmp_path / "a.gguf", {"before": ("F16", blocks_of("F16", 5)), "w": (kind, blocks.reshape(3, -1))}
    )
    record = next(record for record in header_of(path).records if record.name == "w")
    values = gguf_values.read(path, record)
    expected = np.array([define(block) for block in blocks], F).reshape(3, -1)
    assert record.dtype == kind and record.shape == expected.shape == tuple(values.weight.shape)
    assert record.bytes == 15 * width
    np.testing.assert_array_equal(values.weight.numpy(), expected)
    if halves:
        np.testing.assert_array_equal(values.scales, [half(block[halves[0] :][:2]) for block in blocks])
    else:
        assert values.scales is None


def test_what_gguf_quantizes_is_read_as_gguf_reads_it(tmp_path):
    """Of every type that gguf writes, places included: its reader finds the same."""
    weight = np.random.default_rng(0).normal(size=(3, 512)).astype(F)
    tensors = {}
    for kind in TYPES:
        try:
            tensors[kind.name] = (kind.name, gguf.quantize(weight, kind).view(np.uint8))
        except NotImplementedError:
            continue
    path = written(tmp_path / "a.gguf", tensors)
    found = {record.name: record for record in header_of(path).records}
    assert {"F32", "BF16", "Q4_0", "Q8_0", "TQ1_0", "TQ2_0"} <= found.keys()
    for tensor in gguf.GGUFReader(path).tensors:
        record = found[tensor.name]
        assert (record.start, record.bytes) == (tensor.data_offset, tensor.n_bytes)
        expected = gguf.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(gguf_values.read(path, record).weight.numpy(), expected)


def test_scales_stand_where_they_are_said_to(tmp_path):
    """A block whose scale is set to twice itself has all numbers twice as large (but for what Q4_1 and Q5_1 add)."""
    for kind, at in gguf_values._SCALE_AT.items():
        width = gguf.GGML_QUANT_SIZES[TYPES[kind]][1]
        one = np.random.default_rng(1).integers(0, 256, (1, width), dtype=np.uint8)
        if kind in ("Q4_1", "Q5_1"):
            one[:, 2:4] = 0
        one[:, at : at + 2] = np.array([0.25], "<f2").view(np.uint8)
        two = one.copy()
        two[:, at : at + 2] = np.array([0.5], "<f2").view(np.uint8)
        first, second = (gguf_values.dequantize(blocks, kind) for blocks in (one, two))
        np.testing.assert_array_equal(2 * first, second)
        assert first.any() and gguf_values.scales(two, kind).tolist() == [0.5], kind


def test_contents_by_hand(tmp_path):
    bits = blocks_of("Q1_0", 4)
    bits[:, :2] = np.array([[0.25], [0.5], [0.5], [1.0]], "<f2").view(np.uint8)
    bits[:, 2:] = np.array([0x0F] * 8 + [0xFF] * 8, np.uint8)  # three of four
    norm = np.array([[0, 1, -1, 2]], F).view(np.uint8)
    path = written(
        tmp_path / "a.gguf", {"w": ("Q1_0", bits.reshape(2, -1)), "norm": ("F32", norm.reshape(-1))}
    )
    table = contents(path, progress=False).set_index("tensor")
    w, norm = table.loc["w"], table.loc["norm"]
    assert (w["shape"], w["dtype"], w["weights"], w["bytes"]) == ((2, 256), "Q1_0", 512, 72)
    assert (w["bits_per_weight"], w["zeros"], w["positive"]) == (1.125, 0, 0.75)
    assert (w["scale_min"], w["scale_median"], w["scale_max"]) == (0.25, 0.5, 1)
    assert (norm["bits_per_weight"], norm["zeros"], norm["positive"]) == (32, 0.25, 0.5) and np.isnan(
        norm["scale_max"]
    )
    size = path.stat().st_size
    assert table.attrs == {
        "bytes": size,
        "headers": size - 88,
        "integers": 0,
        "weights": 516,
        "bits_per_weight": 8 * size / 516,
    }
    errors = scan(path, ["xnor-weight"], progress=False)
    assert errors.tensor.tolist() == ["w"] and errors.attrs["skipped"] == {"1 axis": 1}
    assert 0 < errors.relative_l2[0] < 1


def test_contents_of_safetensors(tmp_path):
    tensors = {
        "packed": torch.zeros(3, 5, dtype=torch.uint8),
        "half": torch.tensor([[0.0, -1.0]]).half(),
        "none": torch.zeros(0, 3),
        "nan": torch.tensor(float("nan")),
    }
    save_file(tensors, tmp_path / "a.safetensors")
    table = contents(tmp_path, progress=False)
    about, size = table.attrs, (tmp_path / "a.safetensors").stat().st_size
    table = table.set_index("tensor")
    assert table.bytes.to_dict() == {"packed": 15, "half": 4, "none": 0, "nan": 4}
    assert table.bits_per_weight.dropna().to_dict() == {"half": 16, "nan": 32}
    assert (table.zeros["half"], table.positive["half"], table.zeros["nan"]) == (0.5, 0, 0)
    assert (about["bytes"], about["headers"], about["integers"], about["weights"]) == (size, size - 23, 15, 3)
    assert about["bits_per_weight"] == 8 * (size - 15) / 3 and "15 of the bytes are integers" in summed_up(
        table
    )
    save_file({"packed": tensors["packed"]}, tmp_path / "a.safetensors")
    assert summed_up(contents(tmp_path, progress=False)).startswith("0 weights in")


def test_the_command_shows_both_tables(tmp_path):
    path = written(tmp_path / "a b.gguf", {"w": ("TQ2_0", blocks_of("TQ2_0", 4).reshape(2, -1))})
    said = CliRunner().invoke(cli.app, ["scan", str(path), "--binarizers", "bnn"])
    assert said.exit_code == 0, said.output
    assert "2 × 512" in said.stdout and "2.062" in said.stdout and "bits per weight, " in said.stdout
    assert "largest scale" in said.stdout and "relative_l2" in said.stdout


def test_a_model_in_parts_is_read_whole(tmp_path):
    rows = blocks_of("F16", 6).reshape(2, -1)
    for i in (1, 2):
        written(tmp_path / f"m-0000{i}-of-00002.gguf", {f"w{i}": ("F16", rows)}, split_count=2)
    for path in (tmp_path, tmp_path / "m-00002-of-00002.gguf"):
        told = []
        table = contents(path, progress=False, tell=lambda *given, told=told: told.append(given))
        assert table.tensor.tolist() == ["w1", "w2"] == [name for _, name in told]
        assert 0 == told[0][0] < told[1][0] < 1
        assert table.attrs["bytes"] == sum(part.stat().st_size for part in tmp_path.iterdir())
    (tmp_path / "m-00002-of-00002.gguf").rename(tmp_path / "other.gguf")
    with pytest.raises(UserError, match=r"one of 2 parts, and 'm-00002-of-00002.gguf' is missing"):
        contents(tmp_path / "m-00001-of-00002.gguf", progress=False)
    with pytest.raises(UserError, match=r"other.gguf' is one of 2 parts; their names"):
        contents(tmp_path / "other.gguf", progress=False)


def test_safetensors_in_parts_without_an_index(tmp_path):
    for i in (1, 2):
        save_file({f"w{i}": torch.ones(2, 2)}, tmp_path / f"model-0000{i}-of-00002.safetensors")
    first = tmp_path / "model-00001-of-00002.safetensors"
    assert scan(first, ["bnn"], progress=False).tensor.tolist() == ["w1", "w2"]
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    for path in (first, tmp_path):
        with pytest.raises(
            UserError, match=r"one of 2 parts, and 'model-00002-of-00002.safetensors' is missing"
        ):
            scan(path, progress=False)


def test_a_folder_of_several_models_is_asked_about(tmp_path):
    for name in ("a", "b"):
        written(tmp_path / f"{name}.gguf", {"w": ("F16", blocks_of("F16", 6).reshape(2, -1))})
    with pytest.raises(UserError, match=r"there are 2 models .* name one .gguf file"):
        scan(tmp_path, progress=False)


def text(content):
    return struct.pack("<Q", len(content)) + content


def tensor(name=b"w", dims=(4, 2), kind=0, offset=0):
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


GOOD = tensor()


def raw(tensors=(GOOD,), keys=(), data=bytes(32), counts=None, version=3):
    """A file in GGUF from its parts, right or wrong."""
    counts = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<I2Q", version, *counts) + b"".join(keys) + b"".join(tensors)
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + data


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


HUGE = 2**60
BAD = {
    "other kind": (b"GGML" + raw()[4:], "does not begin with GGUF"),
    "text": (b"version https://git-lfs.github.com/spec/v1\n", "does not begin with GGUF"),
    "empty": (b"", "does not begin with GGUF"),
    "old": (raw(version=1), "version 1; versions 2 and 3"),
    "big-endian": (raw(version=3 << 24), "it is big-endian"),
    "cut header": (raw()[:40], "header goes beyond the end of the file"),
    "cut data": (raw()[:-1], "tensor 'w' ends at byte .* and the file at .*; fetch it again"),
    "many tensors": (raw(counts=(HUGE, 0)), "claims 1,152,921,504,606,846,976 tensors"),
    "many keys": (raw(counts=(1, HUGE)), "claims 1,152,921,504,606,846,976 keys"),
    "long name": (raw([u64(HUGE) + b"w"]), "claims .* bytes of a name"),
    "name of a page": (raw([tensor(b"w" * 70_000)]), "a name in it has 70,000 bytes"),
    "name no text": (raw([tensor(b"\xff\xfe")]), "utf-8"),
    "long text": (raw(keys=[key(b"k", 8, u64(HUGE))]), "claims .* bytes of text"),
    "long list of numbers": (raw(keys=[key(b"k", 9, u32(0) + u64(HUGE))]), "claims .* entries of a list"),
    "long list of texts": (raw(keys=[key(b"k", 9, u32(8) + u64(HUGE))]), "claims .* entries of a list"),
    "list of lists": (
        raw(keys=[key(b"k", 9, u32(9) + u64(1) + u32(9) + u64(1))]),
        "a value in it is of type 9",
    ),
    "value unknown": (raw(keys=[key(b"k", 77, b"")]), "a value in it is of type 77"),
    "axes": (raw([tensor(dims=(1,) * 5)]), "tensor 'w' has 5 axes"),
    "size": (raw([tensor(dims=(HUGE, 8))]), "tensor 'w' ends at byte"),
    "offset": (raw([tensor(offset=HUGE)]), "tensor 'w' ends at byte"),
    "beside the alignment": (
        raw([tensor(dims=(1,), offset=4)]),
        "tensor 'w' begins within another one, or beside",
    ),
    "same place": (raw([tensor(b"a"), tensor(b"b")]), "tensor 'b' begins within another one"),
    "same name": (raw([tensor(), tensor(offset=32)], data=bytes(64)), "two tensors 'w'"),
    "type unknown": (raw([tensor(kind=99)]), "tensor 'w' is of type 99, which is unknown"),
    "type unread": (
        raw([tensor(dims=(256,), kind=15)], data=bytes(292)),
        "tensor 'w' of .* is of type Q8_K, which",
    ),
    "part of a block": (raw([tensor(dims=(64, 2), kind=41)]), "type Q1_0 in blocks of 128"),
    "alignment 0": (raw(keys=[key(b"general.alignment", 4, u32(0))]), "alignment is no power of two"),
    "alignment 24": (raw(keys=[key(b"general.alignment", 4, u32(24))]), "alignment is no power of two"),
    "alignment a text": (
        raw(keys=[key(b"general.alignment", 8, text(b"x"))]),
        "alignment is no power of two",
    ),
    "parts a number": (raw(keys=[key(b"split.count", 6, struct.pack("<f", 2))]), "number of parts"),
    "no tensor": (raw([]), "holds no tensor"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_lies_is_refused_in_one_line_and_in_little_memory(kind, tmp_path):
    content, message = BAD[kind]
    path = tmp_path / "a b.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=message) as error:
            contents(path, progress=False)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value) and "a b.gguf" in str(error.value)


def test_the_made_file_is_good_and_known_by_its_first_bytes(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(raw(keys=[key(b"k", 9, u32(8) + u64(2) + text(b"a") * 2)]))
    assert contents(path, progress=False)["shape"].tolist() == [(2, 4)]
    path.write_bytes(b"neither of them")
    with pytest.raises(UserError, match="as a safetensors file, nor is it GGUF"):
        contents(path, progress=False)


def test_a_header_is_no_longer_than_is_said(tmp_path, monkeypatch):
    path = written(tmp_path / "a.gguf", {"w": ("F16", blocks_of("F16", 6).reshape(2, -1))})
    monkeypatch.setattr(gguf_header, "MOST", 100)
    with pytest.raises(UserError, match="beyond the 100 bytes that a header may have"):
        contents(path, progress=False)


def test_integers_are_counted_and_infinities_are_reported(tmp_path):
    blocks = blocks_of("TQ1_0", 2)
    blocks[:, 52:] = np.array([[np.inf]], "<f2").view(np.uint8)
    path = written(tmp_path / "a.gguf", {"w": ("TQ1_0", blocks), "ids": ("I32", np.zeros((2, 16), np.uint8))})
    table = contents(path, progress=False)
    assert table.attrs["integers"] == 32 and table.scale_max.dropna().tolist() == [np.inf]
    errors = scan(path, ["bnn"], progress=False)
    assert errors.relative_l2.isna().all() and errors.attrs["skipped"] == {"type I32": 1}


def test_a_damaged_file_gives_a_table_or_a_line(tmp_path):
    tensors = {kind: (kind, blocks_of(kind, 4).reshape(2, -1)) for kind in ("Q1_0", "F16", "TQ2_0")}
    whole = written(tmp_path / "a.gguf", tensors).read_bytes()
    header = header_of(tmp_path / "a.gguf").records[0].start
    tables = 0
    for number in range(150):
        dice = random.Random(number)
        content = bytearray(whole)
        for _ in range(dice.choice((1, 1, 2, 8))):
            content[dice.randrange(header)] = dice.choice((0, 1, 0xFF, dice.randrange(256)))
        (tmp_path / "a.gguf").write_bytes(
            content[: dice.choice((len(content), dice.randrange(len(content))))]
        )
        with contextlib.suppress(UserError):
            contents(tmp_path / "a.gguf", progress=False)
            tables += 1
    assert 0 < tables < 150
