"""Packed models through plain pickle, as joblib and Dask send them: the same outputs, without panels."""

import copy
import pickle

import pytest
import torch

import binviz
from binviz.packed import fused
from binviz.packed.layers import PREPARED, PackedLayer


def packed_pair(models, architecture, recipe):
    model = models.tiny(architecture).eval()
    binviz.binarize_(model, recipe)
    given = models.inputs(architecture)
    with torch.no_grad():
        model(**given)
    packed = binviz.pack(model)
    return packed, lambda network: network(**given).logits


@pytest.mark.parametrize(
    "again", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy], ids=["pickle", "copy"]
)
@pytest.mark.parametrize(
    ("architecture", "recipe"),
    [("bert", "bit-w1a1"), ("bert", "bit-w1a2"), ("vit", "bibert"), ("swin", "bnn")],
)
def test_the_same_outputs(models, architecture, recipe, again):
    packed, outputs = packed_pair(models, architecture, recipe)
    found = again(packed)
    assert torch.equal(outputs(found), outputs(packed))
    maps = [
        network(**models.inputs(architecture), output_attentions=True).attentions
        for network in (found, packed)
    ]
    assert len(maps[0]) and all(torch.equal(*pair) for pair in zip(*maps, strict=True))
    layers = [module for module in found.modules() if isinstance(module, PackedLayer)]
    assert layers and all(layer.bits.dtype == torch.uint64 for layer in layers)
    assert all(not set(PREPARED) & set(layer.__getstate__()) for layer in layers)


def test_a_convolution():
    from binviz.networks import DigitsCNN, DigitsCNNConfig

    model = DigitsCNN(DigitsCNNConfig(width=4, depth=1)).eval()
    binviz.binarize_(model, "xnor")
    packed, x = binviz.pack(model), torch.randn(2, 1, 8, 8)
    assert torch.equal(pickle.loads(pickle.dumps(packed))(x).logits, packed(x).logits)


def test_on_another_processor_the_layers_run_one_by_one(models, monkeypatch):
    packed, outputs = packed_pair(models, "bert", "bit-w1a1")
    content, wanted = pickle.dumps(packed), outputs(packed)
    monkeypatch.setattr(fused, "CHOSEN", fused.CHOSEN._replace(name="another"))
    found = pickle.loads(content)
    whole = [module for module in found.modules() if isinstance(module, fused.FusedLayers)]
    assert len(whole) == 1 and whole[0].weights is None
    torch.testing.assert_close(outputs(found), wanted)
