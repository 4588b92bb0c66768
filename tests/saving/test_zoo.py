"""What the manifest says of the bundled models."""

import pytest

import binviz
from binviz import recipes, zoo
from binviz.zoo.bundle import float_bytes


def test_a_model_and_its_float_partner_are_the_same_network():
    for name in zoo.names():
        entry = zoo.describe(name)
        assert entry.float_bytes == zoo.describe(f"{entry.task}-{entry.arch}.float").float_bytes


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


def test_the_manifest_counts_what_is_loaded():
    for name in ("digits-cnn.float", "digits-vit.reactnet"):
        assert zoo.describe(name).float_bytes == float_bytes(zoo.load(name))
