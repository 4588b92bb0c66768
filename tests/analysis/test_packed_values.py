"""What a packed file of binviz holds, beside the model that it was written from; and files that lie."""

import json
from math import ceil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

import binviz
from binviz import UserError, cli
from binviz.analysis import contents, scan
from binviz.analysis.checkpoint import opened
from binviz.analysis.contents import summed_up
from binviz.layers import BinaryLayer
from binviz.recipes import Choice, Recipe


def binary(name, recipe):
    model = binviz.load(name)
    binviz.binarize_(model, recipe)
    return model


MODELS = {
    "one scale": lambda: binviz.load("digits-vit.bit-w1a1"),
    "convolutions, a scale of each row": lambda: binviz.load("digits-cnn.xnor"),
    "convolutions of two bases": lambda: binary("digits-cnn.float", "ternary"),
    "two bases, an offset, scales of 16 in a row": lambda: binary(
        "digits-vit.float", Recipe("grouped", Choice("fdb-weight", {"group": 16}))
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_packed_file_holds_the_weights_of_its_model(kind, tmp_path):
    model, path = MODELS[kind](), tmp_path / "a model.safetensors"
    size = binviz.save_packed(model, path)
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, BinaryLayer)}
    table = contents(path, progress=False)
    found, about = table.set_index("tensor"), table.attrs
    packed = found[found.dtype.str.startswith("packed")]
    assert set(packed.index) == {f"{name}.weight" for name in layers}
    with opened(path) as entries:
        numbers = {entry.name: entry.read().weight for entry in entries if entry.weights}
    weights = packed_bytes = 0
    for name, layer in layers.items():
        row, weight = packed.loc[f"{name}.weight"], layer.weight
        codes = layer.weight_binarizer.bases(weight)
        value = sum(code.decode() for code in codes).detach()
        torch.testing.assert_close(numbers[f"{name}.weight"], value)
        bits = layer.weight_binarizer.bit_count
        rows, k = weight.shape[0], weight[0].numel()
        scales = layer.weight_binarizer.scale_count(weight.shape)
        assert (row["shape"], row["dtype"], row["weights"]) == (
            tuple(weight.shape),
            f"packed {bits}-bit",
            rows * k,
        )
        assert row["bytes"] == bits * rows * ceil(k / 64) * 8 + 4 * scales
        assert row["bits_per_weight"] == 8 * row["bytes"] / (rows * k)
        assert row["positive"] == pytest.approx((value > 0).float().mean().item(), abs=1e-6)
        assert row["zeros"] == pytest.approx((value == 0).float().mean().item(), abs=1e-6)
        every = torch.cat([code.scale.detach().float().reshape(-1) for code in codes])
        assert (row["scale_min"], row["scale_max"]) == (every.min().item(), every.max().item())
        weights, packed_bytes = weights + rows * k, packed_bytes + row["bytes"]
    # over all numbers of the model that are no integers
    inside = tuple(f"{name}.weight" for name in layers)
    others = {name: value for name, value in model.state_dict().items() if not name.startswith(inside)}
    floats = [value for value in others.values() if value.is_floating_point()]
    integers = sum(value.nbytes for value in others.values() if not value.is_floating_point())
    count = weights + sum(value.numel() for value in floats)
    body = packed_bytes + sum(value.nbytes for value in others.values())
    assert about == {
        "bytes": size,
        "headers": size - body,
        "integers": integers,
        "weights": count,
        "bits_per_weight": 8 * (size - integers) / count,
    }
    said = f"; {weights:,} of them packed by binviz, at {8 * packed_bytes / weights:.4g} bits"
    assert summed_up(table).startswith(f"{count:,} weights in {size:,} bytes: ") and said in summed_up(table)


def test_a_binarizer_that_finds_the_same_scale_loses_nothing(tmp_path):
    path = tmp_path / "a.safetensors"
    binviz.save_packed(binviz.load("digits-cnn.xnor"), path)
    table = scan(path, ["xnor-weight", "bnn"], progress=False)
    packed = table[table.dtype == "packed 1-bit"].set_index("binarizer")
    assert packed.relative_l2["xnor-weight"].max() < 1e-6 < 0.1 < packed.relative_l2["bnn"].min()
    assert "type U64" not in table.attrs["skipped"]


def test_the_command_says_what_is_packed(tmp_path):
    path = tmp_path / "a b.safetensors"
    binviz.save_packed(binviz.load("digits-cnn.xnor"), path)
    said = CliRunner().invoke(cli.app, ["scan", str(path), "--binarizers", "xnor-weight"])
    assert said.exit_code == 0, said.output
    assert "packed 1-bit" in said.stdout and "of them packed by binviz, at 1." in said.stdout
    assert ".bits" not in said.stdout and "U64" not in said.stdout


def test_a_float_model_in_a_packed_file_has_nothing_packed(tmp_path):
    model, path = binviz.load("digits-cnn.float"), tmp_path / "a.safetensors"
    binviz.save_packed(model, path, half=True)
    table = contents(path, progress=False)
    assert set(table.dtype) <= {"F16", "I64"} and "packed" not in summed_up(table)


LAYER = "layer.dense"


def lying(path, shape=(3, 65), bits=(3, 2), scale=(3,), words=0, **changed):
    """A file that says it is packed: one weight, its tensors of these shapes, and metadata that are changed."""
    tensors = {
        f"{LAYER}.bits": torch.full(bits, words, dtype=torch.uint64) if bits is not None else None,
        f"{LAYER}.scale": torch.ones(scale) if isinstance(scale, tuple) else scale,
    }
    about = {"version": 1, "config": {}, "recipe": None, "shapes": {LAYER: shape}, "tokenizer": {}} | changed
    metadata = {"format": "binviz-packed"} | {key: json.dumps(value) for key, value in about.items()}
    save_file({name: value for name, value in tensors.items() if value is not None}, path, metadata)
    return path


@pytest.mark.parametrize(
    "fits",
    [
        {},
        {"scale": ()},
        {"bits": (6, 2), "scale": (6,)},
        {"bits": (6, 2), "scale": (9,)},
        {"bits": (6, 2), "scale": (3,)},
        {"scale": (3, 5)},
        {"shape": (3, 13, 5)},
    ],
    ids=str,
)
def test_what_fits_is_read(tmp_path, fits):
    (row,) = contents(lying(tmp_path / "a.safetensors", **fits), progress=False).itertuples()
    assert row.tensor == f"{LAYER}.weight" and row.weights == 195


LIES = {
    "another K": ({"shape": (3, 129)}, "packed weight of shape"),
    "more rows than bits": ({"shape": (4, 65)}, "packed weight of shape"),
    "rows that do not divide": ({"shape": (2, 65)}, "packed weight of shape"),
    "one axis": ({"shape": (65,)}, "has the shape"),
    "no axis": ({"shape": ()}, "has the shape"),
    "nothing": ({"shape": (3, 0)}, "has the shape"),
    "less than nothing": ({"shape": (-3, -65)}, "has the shape"),
    "huge": ({"shape": (3, 2**62, 2**62)}, "packed weight of shape"),
    "huge axes": ({"shape": (3, *[9] * 1000)}, "packed weight of shape"),
    "no whole number": ({"shape": (3, 65.0)}, "has the shape"),
    "a text": ({"shape": "3, 65"}, "has the shape"),
    "no bits": ({"bits": None}, "holds no bits"),
    "bits in one axis": ({"bits": (6,)}, "packed weight of shape"),
    "bits of no rows": ({"bits": (0, 2)}, "packed weight of shape"),
    "no scale": ({"scale": None}, "no scale"),
    "other scales": ({"scale": (4,)}, "packed weight of shape"),
    "static scales of another number": ({"bits": (6, 2), "scale": (1,)}, "packed weight of shape"),
    "groups that do not divide": ({"scale": (3, 4)}, "packed weight of shape"),
    "no groups": ({"scale": (3, 0)}, "packed weight of shape"),
    "scales of three axes": ({"scale": (3, 1, 1)}, "packed weight of shape"),
    "scales in integers": ({"scale": torch.ones(3, dtype=torch.int32)}, "packed weight of shape"),
    "bits behind the last": ({"words": 2**63}, "is damaged: .*bits after the last"),
    "shapes of a list": ({"shapes": [3, 65]}, "header is damaged"),
    "another layer": ({"shapes": {"other\x1b": [3, 65]}}, r"other\\x1b"),
    "another version": ({"version": 2}, "format version 2"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_in_one_line(tmp_path, lie):
    changed, message = LIES[lie]
    path = lying(tmp_path / "a.safetensors", **changed)
    for read in (contents, scan):
        with pytest.raises(UserError, match=message) as error:
            read(path, progress=False)
        assert "\n" not in str(error.value) and str(error.value).isprintable()


def test_who_else_says_shapes_is_left_alone(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"layer.bits": torch.zeros(2, 2)}, path, {"format": "pt", "shapes": "{}"})
    with safe_open(path, framework="pt") as file:
        assert list(file.keys()) == contents(path, progress=False).tensor.tolist()
