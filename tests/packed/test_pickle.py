"""Packed models through plain pickle, as joblib and Dask send them: the same outputs, without panels."""

import copy
import pickle
import subprocess
import sys

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


@pytest.mark.slow
def test_in_a_new_process(models, tmp_path):
    """Which has not imported binviz; also where attention is float, but still called through binviz."""
    float_attention = binviz.recipes.get("bnn").but(
        "mine", query=None, key=None, value=None, attention=None, attention_on="probs"
    )
    cases = []
    for recipe in ("bit-w1a1", float_attention):
        model, given = models.tiny("bert"), models.inputs("bert")
        binviz.binarize_(model, recipe)
        model(**given)
        cases += [
            (network, given, network(**given).logits.detach()) for network in (model, binviz.pack(model))
        ]
    (tmp_path / "cases.pickle").write_bytes(pickle.dumps(cases))
    program = """
import pickle, sys, torch
with open(sys.argv[1], "rb") as file:
    print([torch.equal(network(**given).logits, wanted) for network, given, wanted in pickle.load(file)])
"""
    command = [sys.executable, "-c", program, str(tmp_path / "cases.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert (done.stdout, done.stderr) == ("[True, True, True, True]\n", "")
