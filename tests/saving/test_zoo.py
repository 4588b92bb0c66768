"""What the manifest and the records say of the bundled models."""

import numpy as np
import pytest
import torch

import binviz
from binviz import networks, recipes, tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training import shipped
from binviz.training.bundle import bundle, float_bytes
from binviz.training.evaluate import ROUNDING, evaluate_named


def test_a_model_and_its_float_partner_are_the_same_network():
    for name in zoo.names():
        entry, partner = zoo.describe(name), f"{name.partition('.')[0]}.float"
        if partner in zoo.names():
            assert entry.float_bytes == zoo.describe(partner).float_bytes
        else:
            assert tasks.get(entry.task).fills  # its float self is as large as its output layer


def test_a_binary_model_has_the_recipe_of_its_name():
    """In all that a file keeps: weights are stored as codes."""
    for name in zoo.names():
        entry = zoo.describe(name)
        if entry.recipe == "float":
            continue
        whole, kept = recipes.get(entry.recipe), zoo.load(name).binviz_recipe
        for role in ("activation", "nonneg_activation", "query", "key", "value", "attention"):
            made = [
                choice and choice.make(features=1) for choice in (getattr(whole, role), getattr(kept, role))
            ]
            assert (
                len({(type(one), getattr(one, "levels", 0), getattr(one, "edge", "")) for one in made}) == 1
            ), name
        for field in ("name", "attention_on", "ffn_activation", "output_scale", "estimator_rank"):
            assert getattr(kept, field) == getattr(whole, field), name


@pytest.mark.parametrize("recipe", ["bit-w1a1", "reactnet", "fda"])
def test_binarizers_do_not_count(models, recipe):
    model = models.tiny("vit")
    before = float_bytes(model)
    assert before == 4 * sum(parameter.numel() for parameter in model.parameters())
    binviz.binarize_(model, recipe)
    assert float_bytes(model) == before


def test_a_table_that_is_shared_in_the_float_model_counts_once(models, tmp_path):
    model, _ = models.fills()
    floats = float_bytes(models.fills(recipe=None)[0])
    binviz.save_packed(model, tmp_path / "model.safetensors")
    again = binviz.load(tmp_path / "model.safetensors")
    assert again.cls.predictions.decoder.weight is not again.bert.embeddings.word_embeddings.weight
    assert float_bytes(model) == float_bytes(again) == floats


def test_the_manifest_counts_what_is_loaded():
    for name in ("digits-cnn.float", "digits-vit.reactnet"):
        assert zoo.describe(name).float_bytes == float_bytes(zoo.load(name))


# Records are of the bytes that ship.


@pytest.mark.parametrize("name", [name for name in zoo.names() if zoo.describe(name).task == "digits"])
def test_the_shipped_file_does_what_its_record_says(name):
    run = zoo.describe(name).record
    metrics, correct = evaluate_named(name, "digits")
    allowed = ROUNDING * len(correct)
    assert runs.differing(run, correct) <= allowed
    assert abs(metrics["accuracy"] - run.metrics["accuracy"]) * len(correct) <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names("digits-diffusion.*"))
def test_a_shipped_network_that_draws_is_as_far_from_the_noise_as_its_record_says(name):
    run = zoo.describe(name).record
    metrics, values = evaluate_named(name, "digits-diffusion")
    assert metrics["loss"] == pytest.approx(run.metrics["loss"], rel=ROUNDING)
    np.testing.assert_allclose(values, runs.each_example(run), rtol=0.1)


def test_a_record_that_names_a_file_names_the_shipped_one():
    """The text models' data are not bundled: their records name the bytes that they were made from."""
    for name in zoo.names():
        entry, run = zoo.describe(name), zoo.describe(name).record
        if run.file or entry.task == "sst2":
            assert (run.file["name"], run.file["sha256"]) == (entry.path.name, entry.sha256)
            assert run.file["code"]["dirty"] is False


def test_the_copies_of_a_record_are_alike():
    one, other = runs.find("sst2", "sst2.float"), runs.find("bit", "sst2.float")
    assert (one.metrics, one.predictions, one.file) == (other.metrics, other.predictions, other.file)


@pytest.fixture
def own_zoo(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(runs, "SHIPPED", tmp_path / "runs")
    yield tmp_path
    zoo._manifest.cache_clear()


def test_a_bundled_model_is_judged_as_it_ships(own_zoo):
    model = networks.DigitsCNN(networks.DigitsCNNConfig(width=4, depth=1)).eval()
    torch.nn.init.constant_(model.head.weight, 1 / 3)  # float16 has no third
    trained = runs.Run("digits", "digits-cnn.float", 0, {}, "", {}, {"accuracy": 0.25}, 1.0, "01", 4)

    def evaluate(shipped):
        rounded = float(shipped.head.weight[0, 0].detach()) == float(np.float16(1 / 3))
        return {"accuracy": 0.75}, np.array([rounded, True, True, False])

    entry = bundle("digits-cnn.float", model, trained, evaluate)
    run = entry.record
    assert (run.metrics, run.predictions) == ({"accuracy": 0.75}, "07")
    assert run.file["sha256"] == entry.sha256 and run.file["trained"] == {"accuracy": 0.25}
    assert (run.seconds, run.config) == (trained.seconds, trained.config)

    # Made again, it is the file's own, and what the training gave is not forgotten; copies follow.
    runs.write(runs.Run(**(vars(trained) | {"experiment": "other"})), runs.SHIPPED)
    runs.write(runs.Run(**(vars(trained) | {"experiment": "other", "seconds": 2.0, "seed": 1})), runs.SHIPPED)
    shipped.main(["digits-cnn.float"])
    _, correct = evaluate_named("digits-cnn.float", "digits")
    again, copy = (runs.find(experiment, "digits-cnn.float") for experiment in ("digits", "other"))
    assert runs.differing(again, correct) == 0 and again.file["trained"] == {"accuracy": 0.25}
    assert (copy.metrics, copy.predictions, copy.file) == (again.metrics, again.predictions, again.file)
    assert not runs.find("other", "digits-cnn.float", 1).file


def test_a_file_that_is_not_the_manifests_is_refused(own_zoo):
    """One byte is enough, and so is another model's file in its place."""
    run = runs.Run("digits", "digits-cnn.float", 0, {}, "", {}, {"accuracy": 0.25}, 1.0, "01")
    model = networks.DigitsCNN(networks.DigitsCNNConfig(width=4, depth=1)).eval()
    judge = lambda shipped: ({"accuracy": 0.5}, np.array([True]))  # noqa: E731
    path = bundle("digits-cnn.float", model, run, judge).path
    assert zoo.load("digits-cnn.float").config.width == 4
    whole = path.read_bytes()
    other = networks.DigitsCNN(networks.DigitsCNNConfig(width=8, depth=1)).eval()
    binviz.save_packed(other, path, half=True)
    for changed in (path.read_bytes(), whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(changed)
        with pytest.raises(UserError, match=r"'digits-cnn\.float' is missing or changed; install binviz"):
            zoo.load("digits-cnn.float")


def test_a_model_without_record_cannot_be_judged_again(monkeypatch):
    monkeypatch.setattr(runs, "find", lambda *run: None)
    with pytest.raises(UserError, match=r"no record .*digits-cnn.float"):
        shipped.record_again("digits-cnn.float")
