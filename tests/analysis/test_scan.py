import importlib
import json
import math
import struct
import weakref

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from binviz import UserError, binarizers, cli
from binviz.analysis import metrics
from binviz.analysis.scan import scan

module = importlib.import_module("binviz.analysis.scan")
ALL = [name for name in binarizers.names() if binarizers.get(name).levels[0] < 0 and name != "stored"]


def tensors():
    generator = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(shape, generator=generator)

    return {
        "conv": randn(6, 3, 3, 3) * 0.02,
        "skewed": randn(40, 30).exp(),
        "half": randn(12, 20).half(),
        "brain": randn(12, 20).bfloat16(),
        "double": randn(5, 7).double(),
        "bias": randn(12),
        "three": randn(2, 3, 4),
        "token": randn(1, 1, 4),
        "scalar": randn(),
        "empty": randn(0, 4),
        "ids": torch.arange(12).view(3, 4),
    }


@pytest.fixture
def path(tmp_path):
    save_file(tensors(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_only_matrices_and_convolutions_of_floats(path):
    table = scan(path, progress=False)
    assert set(table.tensor) == {"conv", "skewed", "half", "brain", "double", "three"}
    assert table.attrs["skipped"] == {
        "1 axis": 1,
        "0 axes": 1,
        "no entry": 1,
        "type I64": 1,
        "3 axes, the first of 1": 1,
    }
    assert set(table.binarizer) == set(module.BINARIZERS)
    assert len(table) == 6 * len(module.BINARIZERS)
    conv = table[table.tensor == "conv"].iloc[0]
    assert conv["shape"] == (6, 3, 3, 3) and conv["weights"] == 162 and conv["dtype"] == "F32"
    assert set(table[table.tensor == "brain"].dtype) == {"BF16"}


@pytest.mark.parametrize("name", ALL)
def test_measures_are_those_of_metrics_on_whole_tensors(path, name, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 64)
    table = scan(path, [name], progress=False).set_index("tensor")
    for key, row in table.iterrows():
        weight = tensors()[key].float()
        binarizer = binarizers.get(name, features=len(weight), channel_axis=0)
        decoded = binarizer(weight).detach()
        q = torch.stack([code.q for code in binarizer.bases(weight)]).detach().numpy()
        assert row.relative_l2 == pytest.approx(metrics.relative_l2(weight, decoded), rel=1e-9)
        assert row.sqnr_db == pytest.approx(metrics.sqnr_db(weight, decoded), abs=1e-8)
        assert row.cosine == pytest.approx(metrics.cosine(weight, decoded), rel=1e-9)
        assert row.sign_balance == np.mean(q > 0)
        assert row.code_entropy_bits == metrics.code_entropy(q)


def test_by_hand(tmp_path):
    save_file({"w": torch.tensor([[3.0, -1.0, 1.0, 1.0]])}, tmp_path / "w.safetensors")
    row = scan(tmp_path / "w.safetensors", "xnor-weight", progress=False).iloc[0]
    # mean |w| = 1.5; errors 1.5, 0.5, -0.5, -0.5 -> squares 2.25 + 3 * 0.25 = 3; |w|^2 = 12
    assert row.relative_l2 == pytest.approx(math.sqrt(3 / 12))
    assert row.sqnr_db == pytest.approx(10 * math.log10(12 / 3))
    assert row.cosine == pytest.approx(6 * 1.5 / math.sqrt(12 * 9))
    assert row.sign_balance == 0.75
    assert row.code_entropy_bits == pytest.approx(-0.75 * math.log2(0.75) - 0.25 * math.log2(0.25))


def test_order(path):
    by_error = scan(path, ["bnn", "xnor-weight"], order="error", progress=False)
    assert by_error.relative_l2.is_monotonic_decreasing
    assert by_error.index.tolist() == list(range(len(by_error)))
    header = path.read_bytes()
    (size,) = struct.unpack("<Q", header[:8])
    offsets = {
        name: entry["data_offsets"][0]
        for name, entry in json.loads(header[8 : 8 + size]).items()
        if name != "__metadata__"
    }
    in_file = scan(path, ["bnn"], progress=False).tensor.tolist()
    assert in_file == sorted(in_file, key=offsets.__getitem__)


def test_zeros_and_not_a_number(tmp_path):
    save_file(
        {
            "zeros": torch.zeros(2, 3),
            "nan": torch.tensor([[1.0, float("nan")]]),
            "huge": torch.full((2, 2), 1e300, dtype=torch.float64),
        },
        tmp_path / "odd.safetensors",
    )
    table = scan(tmp_path / "odd.safetensors", ["bnn", "xnor-weight"], order="error", progress=False)
    assert table[["relative_l2", "cosine", "sign_balance"]].isna().all(axis=None)
    assert set(table.tensor) == {"nan", "huge"} and table.attrs["skipped"] == {"all zeros": 1}


def shards(folder, **change):
    """A checkpoint in two files and an index."""
    parts = {
        f"model-{i}-of-2.safetensors": {f"w{i}": torch.ones(2, 3), f"b{i}": torch.ones(2)} for i in (1, 2)
    }
    for name, part in parts.items():
        save_file(part, folder / name)
    index = {"weight_map": {key: name for name, part in parts.items() for key in part}} | change
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return folder


def test_a_checkpoint_in_several_files(tmp_path):
    shards(tmp_path)
    save_file({"other": torch.ones(2, 2)}, tmp_path / "other.safetensors")
    for path in (tmp_path, tmp_path / "model.safetensors.index.json"):
        table = scan(path, ["bnn"], progress=False)
        assert table.tensor.tolist() == ["w1", "w2"] and table.attrs["skipped"] == {"1 axis": 2}
    (tmp_path / "model.safetensors.index.json").unlink()
    assert scan(tmp_path, ["bnn"], progress=False).tensor.tolist() == ["w1", "w2", "other"]


@pytest.mark.parametrize(
    "weights",
    [
        None,
        {},
        [],
        {"w": 1},
        {"w": "../model-1-of-2.safetensors"},
        {"w": "none.safetensors"},
        {"w": "\0"},
        {"w": ""},
    ],
)
def test_an_odd_index_is_refused(tmp_path, weights):
    with pytest.raises(UserError, match="safetensors"):
        scan(shards(tmp_path, weight_map=weights), progress=False)


def test_the_command_says_what_was_left_out(tmp_path):
    save_file({"w\x1b[31m": torch.ones(2, 3), "b": torch.ones(2)}, tmp_path / "a.safetensors")
    said = CliRunner().invoke(cli.app, ["scan", str(tmp_path), "--binarizers", "bnn"])
    assert said.stdout.endswith("left out: 1 with 1 axis\n") and "w\\x1b[31m" in said.stdout


def test_one_tensor_at_a_time(path, monkeypatch):
    alive = []
    measured = module._measured

    def watch(weight, name):
        assert sum(ref() is not None and ref() is not weight for ref in alive) == 0
        alive.append(weakref.ref(weight))
        return measured(weight, name)

    monkeypatch.setattr(module, "_measured", watch)
    scan(path, progress=False)
    assert len(alive) == 6 * len(module.BINARIZERS)


def test_a_row_for_each_tensor_though_two_have_one_name(tmp_path):
    tensors = {"a": torch.eye(2), "b": torch.ones(2, 3)}
    save_file(tensors, tmp_path / "1.safetensors")
    save_file({"a": torch.ones(4, 4)}, tmp_path / "2.safetensors")
    table = module.by_tensor(scan(tmp_path, ["xnor-weight", "bnn"], progress=False))
    assert table.tensor.tolist() == ["a", "b", "a"] and table.weights.tolist() == [4, 6, 16]
    assert table["xnor-weight"].tolist() == pytest.approx([0.5**0.5, 0, 0])
    assert table["bnn"].tolist() == pytest.approx([1, 0, 0])


def test_progress_on_the_error_stream_only_if_wanted(path, capsys):
    scan(path, ["bnn"])
    out, err = capsys.readouterr()
    assert out == "" and "/6" in err
    scan(path, ["bnn"], progress=False)
    assert capsys.readouterr().err == ""


def _write(folder, content):
    (folder / "bad.safetensors").write_bytes(content)
    return folder / "bad.safetensors"


BAD = {
    "missing": lambda path: path.with_name("none.safetensors"),
    "folder": lambda path: path.parent / "empty",
    "empty": lambda path: _write(path.parent, b""),
    "truncated": lambda path: _write(path.parent, path.read_bytes()[:-10]),
    "cut header": lambda path: _write(path.parent, path.read_bytes()[:50]),
    "zip (a torch checkpoint)": lambda path: _write(path.parent, b"PK\x03\x04" + bytes(500)),
    "text": lambda path: _write(path.parent, b"version https://git-lfs.github.com/spec/v1\n"),
    "header is no JSON": lambda path: _write(path.parent, struct.pack("<Q", 4) + b"abcd"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_in_one_line(path, kind):
    (path.parent / "empty").mkdir()
    with pytest.raises(UserError) as error:
        scan(BAD[kind](path), progress=False)
    assert "\n" not in str(error.value) and "safetensors" in str(error.value)


def test_nothing_to_look_at(tmp_path):
    save_file(
        {"bias": torch.zeros(3), "ids": torch.zeros(2, 2, dtype=torch.int64)}, tmp_path / "b.safetensors"
    )
    with pytest.raises(
        UserError, match="holds no weight to look at; left out: 1 with type I64, 1 with 1 axis"
    ):
        scan(tmp_path / "b.safetensors", progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"binarizers": []}, "no binarizer to scan with"),
        ({"binarizers": ["xnor-wieght"]}, "did you mean 'xnor-weight'"),
        ({"binarizers": ["row-threshold"]}, "not for weights"),
        ({"binarizers": ["elastic-unsigned"]}, "not for weights"),
        ({"order": "size"}, "order is 'file' or 'error'"),
    ],
)
def test_bad_options(path, options, message):
    with pytest.raises(UserError, match=message):
        scan(path, progress=False, **options)
