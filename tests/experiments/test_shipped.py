"""Every shipped record is the run that its cell declares today: a changed recipe, rate or budget fails here."""

from dataclasses import fields

import pytest

from binviz.evidence import runs
from binviz.experiments import registry, starting
from binviz.recipes import Recipe
from binviz.training import images, pretrain
from binviz.training.stages import identity_of

#: Bundled teachers that were trained by `binviz train`, with settings of their own, as their records say.
FROM_ELSEWHERE = {"sst2.float", "digits-cnn.float", "digits-vit.float"}
#: Trained by `binviz train images` before records named every setting.
BEFORE = {
    *(f"digits-cnn.float{end}" for end in ("", "+bit-w1a1", "+bnn-threshold", "+reactnet", "+xnor")),
    *(f"digits-vit.float{end}" for end in ("", "+bit-w1a1", "+bnn-threshold", "+reactnet-threshold")),
    "digits-vit.float+xnor-threshold",
}


@pytest.mark.parametrize("name", [name for name in registry.NAMES if (runs.SHIPPED / name).is_dir()])
def test_a_record_has_the_identity_of_its_cell(name):
    experiment = registry.get(name)
    records = {key: run for key, run in experiment.records().items() if key[0] not in FROM_ELSEWHERE}
    assert records
    for (cell, seed), run in records.items():
        declared = experiment.tuned(experiment.cell(cell), seed, records)
        assert run.config["identity"] == experiment.identity(declared, seed, run.data), run.path


def test_a_record_of_the_digits_has_the_identity_of_its_settings():
    known = {field.name for field in fields(images.ImagesConfig)}
    found = [run for run in runs.runs() if run.experiment == "digits"]
    assert {run.cell for run in found} > BEFORE
    for run in found:
        if run.cell in BEFORE:
            continue
        settings = {name: value for name, value in run.config.items() if name in known}
        config = images.ImagesConfig(**settings | {"stages": tuple(run.config["stages"])})
        declared = images.identify(config) | {"stages": list(config.stages)}
        last = images.stages_of(config)[-1]
        assert run.config["identity"] == identity_of(last, declared, run.data, run.seed), run.path
        assert run.cell == f"{config.name}.{'+'.join(config.stages)}"


def test_a_record_of_a_pre_training_has_the_identity_of_its_settings():
    known = {field.name for field in fields(pretrain.PretrainConfig)}
    for run in (run for run in runs.runs() if run.experiment == "pretrain"):
        settings = {name: value for name, value in run.config.items() if name in known}
        config = pretrain.PretrainConfig(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
        )
        tokenizer = {"tokenizer": run.config["identity"]["tokenizer"]}
        declared = pretrain.identify_of(config) | tokenizer | {"stages": list(config.stages)}
        last = pretrain.stages_of(config, run.config["train"]["steps"])[-1]
        assert run.config["identity"] == identity_of(last, declared, run.data, run.seed), run.path
        steps, mark = run.config["train"]["steps"], ""
        if last.name != "float" and steps != config.steps:
            assert steps in config.ends_of_parts
            mark = f".at-{steps}"
        assert run.cell == f"mlm.{'+'.join(config.stages)}{mark}"


def test_a_record_of_where_training_would_start_has_the_recipe_of_its_name():
    found = [run for run in runs.runs() if run.experiment == "starting"]
    assert {run.cell.partition(".")[2] for run in found} == set(starting.STARTS)
    for run in found:
        recipe, recorded = starting.STARTS[run.cell.partition(".")[2]], run.config["identity"]["recipe"]
        assert recorded == "float" if recipe is None else Recipe.from_dict(recorded) == recipe


def test_no_other_record_has_an_identity():
    """It would be one that nothing compares."""
    compared = {"digits", "pretrain", "starting", *registry.NAMES}
    assert all("identity" not in run.config for run in runs.runs() if run.experiment not in compared)
