"""Cells in several processes, or on a cluster: in which order, to the same files, and where a worker dies."""

import json
import sys
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import pytest
import torch
from joblib import delayed
from typer.testing import CliRunner

from binviz import cli
from binviz.binarizers import registry as known
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments import cells, operators, parallel
from binviz.experiments.cells import Cell, Experiment
from binviz.files import alone
from binviz.losses import LossChoice
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage

#: A binarizer that notes how far its run is, and ends its process once, before the last step.
OWN = """
import os
from pathlib import Path

import torch

from binviz import binarizers

HERE = Path(__file__).parent


@binarizers.register("own-of-parallel")
class Own(binarizers.Binarizer):
    def encode(self, x):
        q = binarizers.with_surrogate(x, binarizers.sign(x), torch.ones_like)
        return binarizers.Code(q, scale=x.new_ones(()), shift=x.new_zeros(()))

    def set_progress(self, t):
        if (HERE / "noted").exists():
            with (HERE / "noted").open("a") as file:
                file.write(f"{t:.2f} ")
        if (HERE / "deadly").exists() and t == 0.75:
            (HERE / "deadly").unlink()
            os._exit(1)
"""


def cell(row, recipe="bnn", lr=1e-2, group=1, decay=0.01, **options):
    train = TrainConfig(steps=4, lr=lr, batch_size=8, weight_decay=decay, checkpoint_every=1)
    stage = Stage(recipe, train, LossChoice("labels"))
    return Cell("digits", row, group, stage, architecture="cnn-4", **options)


def searching(row, recipe="bnn", **options):
    """A row of three cells: two of a search, and the one that it is for."""
    rates = {f"{row}.lr-{rate}": rate for rate in (0.1, 0.01)}
    tried = [cell(name, recipe, rate, augment="held-out", **options) for name, rate in rates.items()]
    return [*tried, cell(row, recipe, search=tuple(rates), **options)]


def toy(*more):
    listed = (
        cell("after", teacher="half", group=2),
        *more,
        cell("float", "float"),
        cell("half", teacher="float"),
    )
    return Experiment("toy", listed, (), {})


def named(waves):
    return [[each.row for each in wave] for wave in waves]


# Which cells, and in which order.


def test_a_row_comes_with_its_search_and_behind_its_teacher(tmp_path):
    found = parallel.waves(toy(*searching("bnn", teacher="float")), tmp_path)
    assert named(found) == [["float"], ["bnn", "half"], ["after"]]
    alone_ = parallel.waves(toy(*searching("bnn", teacher="float")), tmp_path, "*.lr-*")
    assert named(alone_) == [["float"], ["bnn.lr-0.1", "bnn.lr-0.01"]]


def naive(experiment, out, chosen, seed):
    """Round after round: whatever needs no model that is still to be made."""
    records = experiment.records(out)

    def needs(row):
        cell = experiment.cell(f"digits-cnn-4.{row}")
        found = {cell.teacher, cell.taught_by} - {""}
        return {
            each
            for each in found
            if not (out / f"digits-cnn-4.{each}.seed{seed}").exists()
            and not getattr(records.get((f"digits-cnn-4.{each}", seed)), "failed", "")
        }

    left = {row for row in chosen if (f"digits-cnn-4.{row}", seed) not in records}
    while more := {each for row in left for each in needs(row)} - left:
        left |= more
    found = []
    while left:
        found.append({row for row in left if not needs(row) & left})
        left -= found[-1]
    return found


@pytest.mark.parametrize("seed", range(8))
def test_waves_are_those_of_the_naive_definition(tmp_path, seed):
    """In any order of cells and with any of them there, recorded without a model, or failed."""
    random = np.random.default_rng(seed)
    rows, listed = [f"row{i}" for i in range(9)], []
    for i, row in enumerate(rows):
        teacher, taught_by = random.choice(["", *rows[:i]], 2)
        group = int(random.integers(1, 4))
        listed.append(cell(row, group=group, teacher=str(teacher), taught_by=str(taught_by)))
    random.shuffle(listed)
    experiment = Experiment("toy", tuple(listed), (), {})
    for each in listed:
        state = random.choice(["", "", "there", "recorded", "failed"])
        if state:
            config = {"identity": experiment.identity(each, 3, {})}
            metrics = {} if state == "failed" else {"accuracy": 0.5}
            failed = "nan" if state == "failed" else ""
            runs.write(
                runs.Run("toy", each.name, 3, config, "", {}, metrics, 1.0, failed=failed), tmp_path / "runs"
            )
        if state == "there":
            (tmp_path / f"{each.name}.seed3").mkdir()
    for pattern in ("*", "*[2468]"):
        chosen = [row for row in rows if pattern == "*" or row[-1] in "2468"]
        found = parallel.waves(experiment, tmp_path, pattern, seed=3)
        assert [set(wave) for wave in named(found)] == naive(experiment, tmp_path, chosen, 3)
        for wave in found:
            assert wave == [each for each in experiment.chosen() if each in wave]


# What is refused.


def test_what_cannot_be_run(tmp_path):
    with pytest.raises(UserError, match=r"no cell of toy matches 'mnli\.\*'"):
        list(parallel.reproduce(toy(), tmp_path, "mnli.*", jobs=2))
    with alone(tmp_path), pytest.raises(UserError, match="another run is writing into"):
        list(parallel.reproduce(toy(), tmp_path, jobs=2))
    assert not list(tmp_path.glob(".running-*")) and not (tmp_path / "runs").exists()
    said = CliRunner().invoke(cli.app, ["reproduce", "edge", "--jobs", "2", "--cluster", "tcp://a:1"])
    assert isinstance(said.exception, UserError) and "give one of both" in str(said.exception)


def test_without_the_package_of_the_cluster(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'binviz\[cluster\]'"):
        list(parallel.reproduce(toy(), tmp_path, cluster="tcp://127.0.0.1:1"))


def test_a_worker_that_sees_another_folder_or_dies_again_and_again_runs_nothing(tmp_path):
    (first, *_), *_ = parallel.waves(toy(), tmp_path)
    with pytest.raises(UserError, match=r"does not see .*; all workers need one folder"):
        parallel._run(toy(), first, tmp_path, 0, "", tmp_path / ".running-elsewhere")
    with parallel._sign(tmp_path) as sign:
        (sign / first.name).write_bytes(b"." * parallel.TRIES)
        with pytest.raises(UserError, match=r"workers of digits-cnn-4\.float died 3 times, .* goes on"):
            parallel._run(toy(), first, tmp_path, 0, "", sign)
    assert not toy().records(tmp_path)


def fails(*inputs, **options):
    raise ModuleNotFoundError("No module named 'binviz'")


def test_a_cell_that_the_cluster_gives_up_ends_the_command(monkeypatch):
    """As it does one of which four workers died: joblib alone would wait for ever. Of one worker it asks that one."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(processes=False, **options) as alone_, Client(alone_) as client:
        submit = client.submit
        monkeypatch.setattr(client, "submit", lambda *given, key, **options: submit(fails, key=key))
        line = r"cannot run a cell \(ModuleNotFoundError: No module named 'binviz'\); .*; the same command goes on"
        with pytest.raises(UserError, match=line):
            list(parallel._ends([delayed(print)()], {"backend": parallel._dask(client)}))


def test_a_worker_of_several_threads_runs_one_cell_and_no_second(tmp_path):
    (first, *_), *_ = parallel.waves(toy(), tmp_path)
    line = "has several threads; start it with --nthreads 1"
    with parallel._sign(tmp_path) as sign, parallel._one_at_a_time(), pytest.raises(UserError, match=line):
        parallel._run(toy(), first, tmp_path, 0, "", sign)
    assert not toy().records(tmp_path)


def test_an_operator_of_another_version_is_no_row_of_it(tmp_path):
    (first, *_), *_ = parallel.waves(toy(), tmp_path)
    with parallel._sign(tmp_path) as sign, pytest.raises(UserError, match="another version of binviz"):
        parallel._run(toy(), first, tmp_path, 0, "binviz.binarizers.bnn:BNN", sign)


def test_interrupted(tmp_path, monkeypatch):
    def interrupt(tasks, backend):
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "_ends", interrupt)
    with pytest.raises(UserError, match="stopped; the same command goes on from here"):
        list(parallel.reproduce(toy(), tmp_path, jobs=2))
    assert not list(tmp_path.glob(".running-*"))


# What comes out.


def files(out):
    """Path -> content, of a record without its seconds."""
    found = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    found = {path: content for path, content in found.items() if not path.parts[0].startswith(".")}
    for path in found:
        if path.parts[0] == "runs":
            found[path] = json.loads(found[path]) | {"seconds": 0.0}
    return found


@contextmanager
def processes():
    yield {"jobs": 2}


@contextmanager
def cluster():
    from distributed import LocalCluster

    options = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, **options) as found:
        yield {"cluster": found.scheduler_address}


@pytest.fixture
def one_thread():
    """As workers have it: the order of sums depends on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("workers", [processes, cluster])
def test_the_same_files_as_in_one_process_though_a_worker_dies(tmp_path, monkeypatch, workers):
    """A row of one's own that ends its process once and goes on from its checkpoint, a cell that fails, a search."""
    monkeypatch.setattr(known, "_REGISTRY", dict(known._REGISTRY))
    # A page of the dashboard that was tested before may have taken its place, and processes begin with it
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    file, rows = tmp_path / f"own_{workers.__name__}_binviz_test.py", searching("bnn", teacher="float")
    file.write_text(OWN, "utf-8")
    operator = f"{file}:Own"
    recipe = operators.recipe_of(operators.load(operator))
    bad = cell("bad", lr=1e9, decay=1e9, teacher="float"), cell("late", teacher="bad")
    experiment = toy(*rows, cell("own", recipe, teacher="float"), *bad)
    wanted = list(cells.reproduce(experiment, tmp_path / "one process"))
    assert [run.cell.partition(".")[2] for run in wanted if run.failed] == ["bad"]

    for name in ("noted", "deadly"):
        (tmp_path / name).touch()
    with workers() as options:
        found = list(parallel.reproduce(experiment, tmp_path / "two", operator=operator, **options))
        assert list(parallel.reproduce(experiment, tmp_path / "two", operator=operator, **options)) == []
    assert not (tmp_path / "deadly").exists()
    noted = (tmp_path / "noted").read_text("utf-8").split()
    assert (
        noted.count("0.75") == noted.count("0.25") + 1
    )  # of every layer; it went on and did not begin again
    assert sorted(run.cell for run in found) == sorted(run.cell for run in wanted)
    assert files(tmp_path / "two") == files(tmp_path / "one process")
