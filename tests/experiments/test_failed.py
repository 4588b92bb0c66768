"""A cell whose loss is no longer a number is shown as failed and counts as none; a search leaves it out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from binviz import tasks
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.claims import Claim, judge
from binviz.evidence.runs import Run, of_examples
from binviz.experiments import ledger, questions, registry, report
from binviz.experiments.cells import Cell, Experiment, reproduce
from binviz.losses import LossChoice
from binviz.tasks import task
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage

#: Batches of this size have a pixel that is no number.
POISONED = 7


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """The digits, but for batches of one size, from their second step on."""
    digits = tasks.get("digits")

    def problem(tokenizer, batch_size, seed):
        found = digits.problem(tokenizer, batch_size, seed)

        def batch_of(step):
            batch = dict(found.batch_of(step))
            return batch | {"pixel_values": torch.full_like(batch["pixel_values"], torch.nan)}

        return replace(found, batch_of=lambda step: batch_of(step) if step else found.batch_of(0))

    def either(tokenizer, batch_size, seed):
        return (problem if batch_size == POISONED else digits.problem)(tokenizer, batch_size, seed)

    monkeypatch.setattr(
        task.REGISTRY, "_known", task.REGISTRY._known | {"digits": replace(digits, problem=either)}
    )


def cell(row, batch=8, recipe="bnn", lr=1e-2, **options):
    train = TrainConfig(steps=3, lr=lr, batch_size=batch, checkpoint_every=1)
    stage = Stage(recipe, train, LossChoice("labels"))
    return Cell("digits", row, 1, stage, architecture="cnn-8", **options)


def experiment(*cells, claims=(), compared=()):
    return Experiment("toy", cells, claims, {}, compared=compared)


def test_the_rest_goes_on(tmp_path):
    claim = Claim("All is well", "nobody", "digits-cnn-8.bad", "digits-cnn-8.good")
    toy = experiment(
        cell("float", recipe="float"),
        cell("bad", POISONED, teacher="float"),
        cell("after", teacher="bad"),
        cell("good", teacher="float"),
        claims=(claim,),
        compared=("float", "bad", "good"),
    )
    found = {run.cell.partition(".")[2]: run for run in reproduce(toy, tmp_path)}
    assert list(found) == ["float", "bad", "good"]
    assert "at step 2" in found["bad"].failed and not found["bad"].metrics and not found["good"].failed
    assert not list(tmp_path.glob("*.checkpoint"))
    assert runs.read(tmp_path / "runs/toy/digits-cnn-8.bad.seed0.json") == found["bad"]
    assert list(reproduce(toy, tmp_path)) == []  # not tried again, nor is what starts from it

    finding = judge(claim, toy.records(tmp_path))
    assert (finding.verdict, finding.failed) == ("not run", ("digits-cnn-8.bad seed 0",))
    for text in (report.verdict(finding), questions.in_words(finding)):
        assert "(digits-cnn-8.bad seed 0 failed)" in text
    assert "failed, the " in report.cells(toy, tmp_path)
    table = {line.split()[0]: line.split()[1:] for line in report.table(toy, tmp_path).splitlines()[2:]}
    assert table["bad"] == ["failed"] and len(table["good"]) == 3
    assert float(table["float"][1]) == float(table["float"][2]) == 1


def test_another_cell_is_not_taken_for_the_one_that_failed(tmp_path):
    list(reproduce(experiment(cell("bad", POISONED)), tmp_path))
    with pytest.raises(UserError, match="with other settings"):
        list(reproduce(experiment(cell("bad", POISONED, lr=0.1)), tmp_path))


def run(name, right, seed=0, failed=""):
    values = {} if failed else of_examples(np.array([True] * right + [False] * (20 - right)))
    return Run(
        "e", name, seed, {}, "", {}, {} if failed else {"accuracy": right / 20}, 1.0, failed=failed, **values
    )


def test_a_failed_seed_is_no_seed_and_is_told():
    """Two failed sides have as many examples as each other, none: they are no pair."""
    claim = Claim("a beats b", "nobody", "a", "b")
    records = {
        (each.cell, each.seed): each
        for each in (run("a", 0, 0, "nan"), run("b", 0, 0, "nan"), run("a", 18, 1), run("b", 2, 1))
    }
    finding = judge(claim, records)
    assert (finding.verdict, finding.seeds, finding.difference) == ("holds", 1, 0.8)
    assert finding.failed == ("a seed 0", "b seed 0")
    assert [side.values for side in questions.sides(finding, records)] == [(0.9,), (0.1,)]


def test_the_ledger_names_it(tmp_path):
    claim = registry.get("edge").claims[0]
    runs.write(replace(run(claim.better, 0, 9, "the loss is nan"), experiment="edge"), tmp_path / "runs")
    entry = next(e for e in ledger.ledger(questions.questions(tmp_path)) if e.claim == claim)
    assert entry.after.endswith(f"({claim.better} seed 9 failed)")


def test_a_record_that_failed_and_has_a_number_is_refused(tmp_path):
    path = runs.write(replace(run("a", 3), failed="nan"), tmp_path)
    with pytest.raises(UserError, match="it failed, and has a number"):
        runs.read(path)


def searching(*rates, batch=8):
    tried = [cell(f"bnn.lr-{rate:g}", batch, lr=rate, augment="held-out") for rate in rates]
    return experiment(*tried, cell("bnn", lr=0.5, search=tuple(each.row for each in tried)))


def test_a_cell_has_the_rate_that_its_search_found(tmp_path):
    toy = searching(1e-9, 3e-2, 2e-9)
    *tried, found = reproduce(toy, tmp_path, "*.bnn", seed=2)
    assert [each.cell for each in tried] == [each.name for each in toy.cells[:-1]]
    best = max(tried, key=lambda run: run.metrics["accuracy_held_out"])
    assert found.config["train"]["lr"] == best.config["train"]["lr"] and "accuracy" in found.metrics
    assert list(reproduce(toy, tmp_path, seed=2)) == []
    altered = replace(best, metrics={"accuracy_held_out": -1.0})
    runs.write(altered, tmp_path / "runs")
    assert toy.tuned(toy.cells[-1], 2, toy.records(tmp_path)).stage.train.lr != best.config["train"]["lr"]


def test_the_first_of_equals_is_taken_and_a_failed_one_never():
    toy = searching(0.1, 0.2, 0.3)
    tried = {
        (each.name, 0): Run(
            "toy",
            each.name,
            0,
            {"train": {"lr": each.stage.train.lr}},
            "",
            {},
            {"accuracy_held_out": 0.5},
            1.0,
        )
        for each in toy.cells[:-1]
    }
    last = toy.cells[-1]
    assert toy.tuned(last, 0, tried).stage.train.lr == 0.1
    first = (toy.cells[0].name, 0)
    tried[first] = replace(tried[first], metrics={}, failed="nan")
    assert toy.tuned(last, 0, tried).stage.train.lr == 0.2
    assert toy.tuned(last, 1, tried) == last


def test_where_all_of_a_search_failed_the_cell_is_run_at_its_own_rate(tmp_path):
    toy = searching(0.1, 0.2, batch=POISONED)
    *tried, found = reproduce(toy, tmp_path)
    assert all(each.failed for each in tried) and not found.failed
    assert found.config["train"]["lr"] == 0.5
