"""What the manifest says of the bundled models."""

import pytest

import binviz
from binviz import zoo
from binviz.zoo.bundle import float_bytes


def test_a_model_and_its_float_partner_are_the_same_network():
    for name in zoo.names():
        entry = zoo.describe(name)
        assert entry.float_bytes == zoo.describe(f"{entry.task}-{entry.arch}.float").float_bytes


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
