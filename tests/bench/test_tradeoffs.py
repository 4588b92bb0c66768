"""What stands in the figure of trade-offs: against the papers' figures, the records, and counts made by hand."""

import csv
import io

import pytest

from binviz import plots, recipes
from binviz.bench import records, tradeoffs
from binviz.evidence import runs
from binviz.evidence.runs import Run


@pytest.fixture(scope="module")
def rows():
    return tradeoffs.rows()


def published(name, task="sst2"):
    return next(row for row in tradeoffs.rows([]) if (row.task, row.name) == (task, name))


def test_a_papers_costs_are_its_own_to_the_last_printed_digit():
    bit = published("BiT")
    assert tradeoffs.cost(bit, "memory", "bert-line") / 2**20 == pytest.approx(13.4, abs=0.05)
    assert tradeoffs.cost(bit, "operations", "bert-line") / 1e9 == pytest.approx(0.4, abs=0.05)
    # without a recipe here only what the paper printed, by its rule
    other = published("BinaryBERT")
    assert tradeoffs.cost(other, "memory", "bert-line") == 16.5 * 2**20
    assert tradeoffs.cost(other, "memory", "bivit") is None
    vit = next(r for r in tradeoffs.rows([]) if (r.name, r.network) == ("BiViT", "Swin-T"))
    assert (tradeoffs.cost(vit, "operations", "bivit"), vit.of_float) == (1.62e9, pytest.approx(70.8 / 81.2))


def test_every_cell_with_a_tasks_metric_has_a_row_whatever_its_experiment(rows):
    sources = [row.source for row in rows if not row.published]
    assert len(set(sources)) == len(sources)
    cells = {
        f"recorded: {run.experiment}/{run.cell}"
        for run in runs.runs()
        if "accuracy" in run.metrics and "perplexity" not in run.metrics
    }
    assert cells <= set(sources)
    row = next(row for row in rows if row.source == "recorded: bit/sst2.bit-w1a1")
    seeds = [runs.find("bit", "sst2.bit-w1a1", seed).metrics["accuracy"] for seed in range(3)]
    assert row.value == pytest.approx(sum(seeds) / 3) and row.low < row.value < row.high
    teacher = runs.find("bit", "sst2.float").metrics["accuracy"]
    assert row.of_float == pytest.approx(row.value / teacher)


def test_an_experiment_that_nobody_has_heard_of_is_there_with_its_costs():
    identity = {"task": "digits", "architecture": "vit", "recipe": recipes.get("bit-w1a1").to_dict()}
    made = Run(
        "new", "digits-vit.mine", 0, {"identity": identity}, "last", {}, {"accuracy": 0.9}, 1.0, examples=450
    )
    (row,) = tradeoffs._recorded([made])
    assert (row.task, row.network, row.recipe, row.kind) == ("digits", "ViT", "bit-w1a1", "1-bit")
    bundled = tradeoffs.count("digits", "vit", "bit-w1a1")
    assert tradeoffs.cost(row, "memory", "everything") == bundled.bytes


def test_milliseconds_are_measured_of_the_same_architecture_and_recipe_or_not_there(rows):
    record = records.shipped()["amd-epyc-zen4"]
    line = next(
        each
        for each in record["models"]
        if (each["model"], each["recipe"], each["threads"], each["batch"]) == ("BERT-base", "bit-w1a1", 1, 1)
    )
    assert tradeoffs.cost(published("BiT"), "time", "", record) == 1e3 * line["seconds"]["binviz"]["median"]
    assert tradeoffs.cost(published("BERT"), "time", "", record) == 1e3 * line["seconds"]["float32"]["median"]
    shown, left = tradeoffs.points([row for row in rows if row.task == "sst2"], "time", "", record)
    assert shown and left
    assert {row.recipe for row in left} >= {"bibert", "unknown"}
    assert tradeoffs.cost(published("BiBERT"), "time", "", record) is None


def test_the_tables_hold_every_point():
    made = [
        plots.Tradeoff("a, b", 2.0, 80.0, 78.0, 82.0, about="x<br>y_1"),
        plots.Tradeoff("50 % & more_", 3.0, 70.0),
        plots.Tradeoff("theirs", 9.0, 90.0, published=True),
    ]
    lines = list(csv.DictReader(io.StringIO(tradeoffs.as_csv(made, "accuracy (%)", "memory (MB)"))))
    assert [(each["name"], each["front"]) for each in lines] == [
        ("theirs", "True"), ("a, b", "True"), ("50 % & more_", "False"),
    ]  # fmt: skip
    assert [float(each["memory (MB)"]) for each in lines] == [9.0, 2.0, 3.0]
    latex = tradeoffs.as_latex(made, "accuracy (%)", "memory (MB)")
    assert r"50 \% \& more\_ &  & measured & 70 & 3 \\" in latex and r"\textbf{theirs}" in latex
