"""The benchmark's arithmetic and its refusals; never how fast anything is."""

import json

import numpy as np
import pytest

from binviz.bench import distances, kernels, limit, machine, products, timing

CPUINFO = """\
processor\t: 0
model name\t: Example 9000
flags\t\t: fpu popcnt avx2 avx512f
processor\t: 1
model name\t: Another
"""


def test_contestants_take_turns_and_each_round_starts_with_the_next():
    calls = []
    names = "abc"
    functions = {name: (lambda name=name: calls.append(name)) for name in names}
    samples = timing.interleave(functions, rounds=3, seconds=0.0)
    assert {name: len(times) for name, times in samples.items()} == dict.fromkeys(names, 3)
    assert "".join(calls) == "abc" + "abc" + "abc" + "bca" + "cab"


def test_a_fast_function_is_called_more_often(monkeypatch):
    monkeypatch.setattr(timing, "_time", lambda function, calls: calls * function())
    samples = timing.interleave({"fast": lambda: 0.001, "slow": lambda: 1.0}, rounds=2, seconds=0.1)
    assert samples == {"fast": [pytest.approx(0.001)] * 2, "slow": [1.0] * 2}


def test_ratios_are_taken_round_by_round():
    # The machine is ten times slower in the second round: the ratio does not move.
    assert timing.ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == (2.0, 2.0, 2.0)


def test_the_machine_is_described_from_its_cpuinfo(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(CPUINFO)
    described = machine.describe(file)
    assert described["cpu"] == "Example 9000"
    assert described["flags"] == ["popcnt", "avx2", "avx512f"]
    assert machine.describe(tmp_path / "none")["cpu"]
    json.dumps(described)


@pytest.fixture
def one_small_layer(monkeypatch):
    """The whole program, but for one small layer, without touching anybody's number of threads."""
    monkeypatch.setattr(kernels, "LAYERS", [(64, 32)])
    monkeypatch.setattr(kernels, "ROWS", [3])
    monkeypatch.setattr(kernels, "set_threads", lambda threads: None)
    monkeypatch.setattr(products, "SHAPES", [(3, 64, 32)])
    monkeypatch.setattr(distances, "SHAPES", [(3, 32, 64)])

    def one_second_each(functions, *_):
        assert all(function() is not None for function in functions.values())
        return {name: [1.0] for name in functions}

    for program in (kernels, products, distances):
        monkeypatch.setattr(program, "interleave", one_second_each)


def test_every_contestant_computes_the_layer():
    for function in kernels.contestants(3, 64, 32).values():
        assert function().shape == (3, 32)


def test_distances_agree_among_the_libraries_that_are_installed():
    functions = distances.contestants(3, 5, 128)
    ours = functions.pop("binviz")()
    assert ours.shape == (3, 5)
    for function in functions.values():
        np.testing.assert_array_equal(np.asarray(function()), ours)


def test_the_limit_is_a_speed():
    assert limit.OPERATIONS > 0
    assert limit.measure(rounds=2).median > 0


def test_a_share_is_the_limits_time_over_ours_for_as_many_operations(one_small_layer):
    result = products.measure(3, 64, 32, 1)
    assert result["share"]["median"] == pytest.approx(2 * 3 * 64 * 32 / limit.OPERATIONS)


def test_results_are_written(one_small_layer, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(kernels, "speedup", lambda rounds: 1.9)
    kernels.main(["--out", str(tmp_path / "out.json"), "--threads", "1"])
    record = json.loads((tmp_path / "out.json").read_text())
    assert (record["busy"], record["two_threads_over_one"]) == (False, [1.9, 1.9])
    (result,) = record["results"]
    assert result["ratio"]["float32"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert len(record["products"]) == len(record["distances"]) == 1
    out = capsys.readouterr().out
    assert "64 -> 32" in out and "3 x 64 -> 32" in out and "3 x 32, 64 bits" in out


@pytest.mark.parametrize("speedups", [[1.2], [1.9, 1.2]], ids=["before", "after"])
def test_a_busy_machine_is_refused(speedups, one_small_layer, monkeypatch, tmp_path):
    remaining = list(speedups)
    monkeypatch.setattr(kernels, "speedup", lambda rounds: remaining.pop(0))
    with pytest.raises(SystemExit, match=r"only 1\.20 times as fast"):
        kernels.main(["--out", str(tmp_path / "out.json"), "--threads", "1"])
    assert not (tmp_path / "out.json").exists()


def test_a_busy_machine_is_measured_if_asked_to(one_small_layer, monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "speedup", lambda rounds: 1.2)
    kernels.main(["--out", str(tmp_path / "out.json"), "--threads", "1", "--busy"])
    assert json.loads((tmp_path / "out.json").read_text())["busy"] is True


def test_one_core_cannot_be_checked_and_is_not_refused(monkeypatch):
    monkeypatch.setattr(kernels, "usable_cores", lambda: 1)
    assert kernels.speedup(1) is None
    assert not kernels.busy([None, None])


def test_more_threads_than_cores_are_refused(capsys):
    with pytest.raises(SystemExit):
        kernels.main(["--threads", "100000"])
    assert "--threads must be from 1 to" in capsys.readouterr().err
