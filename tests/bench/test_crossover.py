"""The map of who is fastest: its layers compute what they say, and the rules of its measurement."""

import io
import json

import binviz_kernels
import numpy as np
import pytest
import torch
from rich.console import Console

from binviz.bench import crossover, report


def test_every_format_computes_the_layer():
    K, M = 96, 5
    random = torch.Generator().manual_seed(0)
    w, bias = torch.randn(K, K, generator=random), torch.randn(K, generator=random)
    x = torch.randn(M, K, generator=torch.Generator().manual_seed(1))
    signs, scale = torch.where(w >= 0, 1.0, -1.0), w.abs().mean(dim=1)

    def of(codes):
        return (codes @ signs.T * scale + bias).numpy()

    floats = (x @ w.T + bias).numpy()
    wanted = {
        "1 bit": (of(torch.where(x >= 0, 1.0, -1.0)), 1e-4),
        "2 bits": (of((x * 1.5).round().clamp(0, 3)), 1e-4),
        "4 bits": (of((x * 7.5).round().clamp(0, 15)), 1e-3),
        "int8": (floats, 1.0),
        "bfloat16": (floats, 0.5),
        "float32": (floats, 1e-4),
    }
    made = crossover.layer(K, crossover.left_out().keys() - {"bfloat16"})
    assert set(wanted) - {"int8"} <= set(made) <= set(wanted)
    with torch.inference_mode():
        for name, make in made.items():
            y = make(x)()
            assert y.shape == (M, K)
            right, tolerance = wanted[name]
            np.testing.assert_allclose(y.float().numpy(), right, atol=tolerance, err_msg=name)


def test_who_is_far_behind_is_timed_twice_only(monkeypatch):
    takes = {"fast": 1.0, "near": 9.0, "far": 20.0}
    asked = []

    def interleave(functions, rounds, seconds):
        asked.append((list(functions), rounds))
        return {name: [takes[name]] * rounds for name in functions}

    monkeypatch.setattr(crossover, "interleave", interleave)
    found, steady = crossover.cell(dict.fromkeys(takes, lambda x: None), rows=2, size=3, rounds=5)
    assert asked == [(["fast", "near", "far"], 2), (["fast", "near"], 5)]
    assert found == {"rows": 2, "size": 3, "seconds": takes} and steady


@pytest.mark.parametrize(("samples", "steady"), [([1.0, 1.1, 1.0], True), ([1.0, 2.0, 3.0], False)])
def test_a_winner_whose_times_differ_is_unsteady(monkeypatch, samples, steady):
    monkeypatch.setattr(crossover, "interleave", lambda functions, *_: dict.fromkeys(functions, samples))
    assert crossover.cell({"one": lambda x: None}, 1, 1, 3)[1] is steady


@pytest.fixture
def no_clock(monkeypatch):
    def count(functions, rounds, _):
        assert all(function() is not None for function in functions.values())
        return {name: [float(i + 1)] * rounds for i, name in enumerate(functions)}

    monkeypatch.setattr(crossover, "interleave", count)


def test_a_map_has_every_size_and_gives_the_threads_back(no_clock):
    before = binviz_kernels.get_threads(), torch.get_num_threads()
    told = []
    found = crossover.measure((64, 128), (1, 3), 2, lambda share, text: told.append((share, text)))
    assert (binviz_kernels.get_threads(), torch.get_num_threads()) == before
    assert [(cell["rows"], cell["size"]) for cell in found["cells"]] == [(1, 64), (3, 64), (1, 128), (3, 128)]
    assert all(set(cell["seconds"]) == set(found["formats"]) for cell in found["cells"])
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[0] == (0, "1 row, 64 → 64") and told[-1][0] < 1
    assert found["unsteady"] == 0
    json.dumps(found)


def test_what_a_machine_lacks_is_left_out_and_said(no_clock, monkeypatch):
    monkeypatch.setattr(crossover, "describe", lambda: {"flags": ["avx2"]})
    monkeypatch.setattr(crossover, "dynamic_int8", lambda model: None)
    found = crossover.measure((64,), (1,), 2)
    assert found["formats"] == ["1 bit", "2 bits", "4 bits", "float32"]
    assert set(found["left_out"]) == {"int8", "bfloat16"}
    found["unsteady"] = 0.5
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(report.crossover({"crossover": found}))
    text = " ".join(console.export_text().split())
    assert "1 bit 2" in text and "int8 left out: this torch" in text and "unsteady at 50%" in text
