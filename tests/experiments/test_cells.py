"""The runner: what is run, in which order, what is skipped, and how it goes on."""

import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import binviz
from binviz import cli, recipes, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.claims import Claim
from binviz.experiments import bit, registry, report
from binviz.experiments.cells import Cell, Experiment, reproduce
from binviz.losses import LossChoice
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.tasks import Problem, Task, task
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage, calibrate, prepare

#: What the text of a cell is made of.
NAMED = {
    each.__name__: each for each in (Cell, Stage, TrainConfig, LossChoice, recipes.Recipe, recipes.Choice)
}


def stage(recipe, **options):
    loss = LossChoice("labels" if recipe == "float" else "bit")
    return Stage(recipe, TrainConfig(steps=3, lr=1e-2), loss, **options)


def start(architecture, seed):
    torch.manual_seed(seed)
    return DigitsCNN(DigitsCNNConfig(width=4, depth=1)), None


def batch(step):
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(step))
    return {"pixel_values": images, "labels": (images.mean((1, 2, 3)) > 0).long()}


def judge(model):
    held_out = batch(1000)
    correct = (model(held_out["pixel_values"]).logits.argmax(-1) == held_out["labels"]).numpy()
    return {"accuracy": float(correct.mean())}, correct


def experiment():
    return Experiment(
        name="toy",
        cells=(
            Cell("signs", "late", 2, stage("xnor"), teacher="half"),
            Cell("signs", "float", 1, stage("float")),
            Cell("signs", "half", 1, stage("bit-w1a2"), teacher="float"),
            Cell("signs", "frozen", 1, stage("bit-w1a1", frozen=("alpha", "beta")), teacher="float"),
        ),
        claims=(Claim("Nothing is lost", "nobody", "signs.late", "signs.float", margin=0.5),),
        settings={"width": 4},
        notes="three steps each",
    )


def problem(batch_of=batch):
    return Problem("signs", batch_of, judge, {"train": "0"}, batch(1001))


@pytest.fixture(autouse=True)
def signs(monkeypatch):
    """A task of this file; the test may give it another problem."""
    known = dict(task.REGISTRY._known)
    monkeypatch.setattr(task.REGISTRY, "_known", known)

    def learn(problem):
        known["signs"] = Task(
            name="signs",
            title="Is it bright?",
            shows="picture",
            labels=("dark", "bright"),
            start=start,
            problem=lambda tokenizer, batch_size, seed: problem,
            judge=lambda model, tokenizer: judge(model),
            held_out=None,
            example=None,
            licence="",
            source="",
        )

    learn(problem())
    return learn


def cells_of(records):
    return [run.cell for run in records]


def test_order_of_priority(tmp_path):
    found = cells_of(reproduce(experiment(), tmp_path))
    assert found == ["signs.float", "signs.half", "signs.frozen", "signs.late"]
    assert cells_of(reproduce(experiment(), tmp_path)) == []
    assert sorted(path.name for path in (tmp_path / "runs/toy").iterdir()) == sorted(
        f"{name}.seed0.json" for name in found
    )
    late = runs.read(tmp_path / "runs/toy/signs.late.seed0.json")
    assert late.config["teacher"] == "signs.half" and late.config["identity"]["width"] == 4


def test_a_teacher_is_run_first(tmp_path):
    assert cells_of(reproduce(experiment(), tmp_path, "*.late", seed=3)) == [
        "signs.float",
        "signs.half",
        "signs.late",
    ]
    assert cells_of(reproduce(experiment(), tmp_path, "*.h*", seed=3)) == []


def test_a_shipped_record_is_skipped_but_trained_where_a_student_needs_its_model(tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    list(reproduce(experiment(), tmp_path / "a", "*.half"))
    (tmp_path / "a/runs").rename(shipped)
    monkeypatch.setattr(runs, "SHIPPED", shipped)
    assert cells_of(reproduce(experiment(), tmp_path / "b", "*.half")) == []
    assert cells_of(reproduce(experiment(), tmp_path / "b", "*.late")) == [
        "signs.float",
        "signs.half",
        "signs.late",
    ]


def test_a_record_of_other_settings_is_not_taken_for_the_cells(tmp_path):
    """As those of an earlier version are, which named a recipe and did not hold it."""
    (run,) = reproduce(experiment(), tmp_path, "*.float")
    assert list(reproduce(experiment(), tmp_path, "*.float")) == []
    earlier = dict(run.config["identity"], recipe="its name")
    runs.write(replace(run, config=run.config | {"identity": earlier}), tmp_path / "runs")
    with pytest.raises(UserError, match=r"holds signs\.float with other settings, or from another version"):
        list(reproduce(experiment(), tmp_path, "*.float"))
    with pytest.raises(UserError, match=r"with other settings"):
        list(reproduce(experiment(), tmp_path))


def test_a_cell_is_data():
    """It can be sent to another process, compared and shown."""
    for name in registry.NAMES:
        for cell in registry.get(name).cells:
            assert pickle.loads(pickle.dumps(cell)) == cell
            assert eval(repr(cell), NAMED) == cell and " at 0x" not in repr(cell)


def test_a_killed_cell_goes_on(tmp_path, signs):
    wanted, calls = list(reproduce(experiment(), tmp_path / "unbroken")), []

    def failing(step):
        calls.append(step)
        if len(calls) == 8:  # in the third cell
            raise KeyboardInterrupt
        return batch(step)

    signs(problem(failing))
    with pytest.raises(KeyboardInterrupt):
        list(reproduce(experiment(), tmp_path / "broken"))
    signs(problem())
    found = list(reproduce(experiment(), tmp_path / "broken"))
    assert cells_of(found) == ["signs.frozen", "signs.late"]
    for run, other in zip(found, wanted[2:], strict=True):
        assert (run.metrics, run.predictions, run.curves) == (other.metrics, other.predictions, other.curves)


def test_frozen_scales_stay_where_they_start(tmp_path):
    frozen, learned = (
        Experiment(**(vars(experiment()) | {"cells": (experiment().cells[1], cell)}))
        for cell in (experiment().cells[3], Cell("signs", "frozen", 1, stage("bit-w1a1"), teacher="float"))
    )
    for chosen, moves in ((frozen, False), (learned, True)):
        *_, run = reproduce(chosen, tmp_path / str(moves))
        scales = [curve for name, curve in run.curves.items() if name.startswith(("scale/", "shift/"))]
        assert scales and any(len(set(curve)) > 1 for curve in scales) == moves


def test_alphas_kept_are_the_teachers():
    """Whatever their bits; those of float activations start anew, and by default all do."""
    prepared = {}
    for keep in (False, True):
        model, _ = start("signs", 0)
        binviz.binarize_(model, recipes.get("bit-w1a2").but("half", float_activations=("blocks.1.conv",)))
        calibrate(model, batch(0))
        teacher = {name: value.clone() for name, value in model.state_dict().items()}
        prepare(model, stage("bit-w1a1", keep_alphas=keep), problem())
        prepared[keep] = {
            name: torch.equal(value, teacher[name]) if name in teacher else None
            for name, value in model.state_dict().items()
            if name.endswith(".alpha")
        }
        assert all(value for name, value in model.state_dict().items() if name.endswith(".initialized"))
    assert set(prepared[True].values()) == {True, None}
    assert set(prepared[False].values()) == {False, None}


def test_no_such_cell(tmp_path):
    with pytest.raises(
        UserError, match=r"no cell of toy matches 'mnli.\*'; its cells: signs.late, signs.float"
    ):
        list(reproduce(experiment(), tmp_path, "mnli.*"))


def test_no_such_experiment():
    with pytest.raises(
        UserError, match="no experiment 'bort'; choose one of: bit, bivit, bipft, bibench, edge"
    ):
        registry.get("bort")


# BiT's cells and claims.


def test_every_name_is_known_and_unique():
    names = [cell.name for cell in bit.EXPERIMENT.cells]
    assert len(set(names)) == len(names)
    for cell in bit.EXPERIMENT.cells:
        assert cell.teacher == "" or cell.name_of(cell.teacher) in names
        assert (cell.teacher == "") == (cell.row == "float") == cell.stage.is_float
    for claim in bit.EXPERIMENT.claims:
        assert {claim.better, claim.worse} <= set(names)


@pytest.mark.parametrize("task", bit.BUDGETS)
def test_rows_of_the_first_groups_cost_the_same(task):
    cells = {cell.row: cell for cell in bit.EXPERIMENT.cells if cell.task == task}

    def steps(cell):
        """Of a cell and of all binary cells it stands on."""
        below = bit.EXPERIMENT.cell(cell.name_of(cell.teacher))
        return cell.stage.train.steps + (0 if below.row == "float" else steps(below))

    rows = [row for row, cell in cells.items() if row not in ("float", "bit-w1a2.half") and cell.group != 4]
    assert {steps(cells[row]) for row in rows} == {bit.BUDGETS[task].steps}


def test_an_ablation_takes_one_thing_away():
    whole = recipes.get("bit-w1a1")
    for recipe, fields in (
        (bit.ONE_SET, {"name", "nonneg_activation", "attention", "ffn_activation"}),
        (bit.GELU, {"name", "ffn_activation"}),
    ):
        assert {key for key, value in vars(recipe).items() if value != getattr(whole, key)} == fields
    levels = {
        role: getattr(bit.ONE_SET, role).make(1).levels for role in ("activation", "attention", "value")
    }
    assert set(levels.values()) == {(-1, 1)}


def test_no_ablation_is_dead():
    """Behind no linear layer are all codes the same; attention's own may be, where one set has no 0."""
    ids = torch.randint(5, 9000, (4, 12), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    teacher = zoo.load("sst2-minilm.float")
    for recipe in (bit.ONE_SET, bit.GELU, bit.BNN, bit.DOREFA):
        student = copy.deepcopy(teacher)
        binviz.binarize_(student, recipe)
        calibrate(student, batch)
        codes = binviz.analysis.capture(
            student, batch, ["*_in.code", "*ffn_act.code", "*context.code", "words.code"]
        )
        constant = [name for name in codes if np.ptp(codes.flat(name)) == 0]
        assert not constant, recipe.name


@pytest.mark.parametrize("name", ["bibert", "bit-w1a1", "bnn-threshold", "dorefa-threshold"])
def test_every_row_has_word_embeddings_of_one_bit(name):
    stage = bit.EXPERIMENT.cell(f"sst2.{name}").stage
    recipe = recipes.get(stage.recipe) if isinstance(stage.recipe, str) else stage.recipe
    assert recipe.embedding is not None


def test_the_list_as_text(tmp_path):
    said = CliRunner().invoke(
        cli.app, ["reproduce", "bit", "--list", "--cell", "sst2.*", "--out", str(tmp_path)]
    )
    assert said.exit_code == 0, said.output
    assert "sst2.bit-w1a1.two-step" in said.output and "mrpc.float  " not in said.output
    assert "sst2.float                   accuracy 0.8922" in said.output


def test_verdicts_as_text(tmp_path):
    list(reproduce(experiment(), tmp_path))
    text = report.verdicts(experiment(), tmp_path)
    assert "signs.late against signs.float\n    Nothing is lost" in text
    assert report.verdicts(experiment()).startswith("not run")


def test_shipped_records_are_of_known_cells_and_clean_commits():
    for (name, _), run in bit.EXPERIMENT.records().items():
        assert bit.EXPERIMENT.cell(name).name == name
        assert run.code["dirty"] is False
        assert len(json.dumps(vars(run))) < 100_000


def test_a_cell_that_starts_from_an_encoder_which_is_not_there(tmp_path):
    lone = replace(
        experiment(), cells=(Cell("signs", "early", 1, stage("bit-w1a1"), start="mlm.float.seed0"),)
    )
    with pytest.raises(UserError, match=r"which is not in .*; make it with binviz pretrain"):
        list(reproduce(lone, tmp_path))
