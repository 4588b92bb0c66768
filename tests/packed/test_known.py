"""A model is fused or says why not, and answers the same either way; every architecture: tests/docs."""

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz.packed import why_not_fused
from binviz.packed.fused import FusedLayers
from binviz.packed.known import known_layer

NOT_FUSED = {
    "cnn": "no transformer layers",
    "sequential": "no transformer layers",
}


def made(models, name):
    """A binary model and inputs for it."""
    model, given = models.tiny(name), models.inputs(name)
    binviz.binarize_(model, "bibert")
    return model, given


@pytest.mark.parametrize("name", ["bert", "roberta", "electra", "vit", "deit", "swin"])
@torch.no_grad()
def test_fused_and_alike(models, name):
    model, given = made(models, name)
    packed, plain = binviz.pack(model), binviz.pack(model, fused=False)
    assert why_not_fused(packed) == "" and why_not_fused(plain) == "fused=False"
    lists = [part for part in packed.modules() if isinstance(part, FusedLayers)]
    assert len(lists) == (2 if name == "swin" else 1)
    torch.testing.assert_close(packed(**given).logits, plain(**given).logits, atol=1e-4, rtol=1e-4)
    for layer in (layer for layers in lists for layer in layers.children()):
        layer.forward = None
    packed(**given)


@pytest.mark.parametrize("name", NOT_FUSED)
@torch.no_grad()
def test_not_fused_and_why(models, name):
    model, given = made(models, name)
    packed = binviz.pack(model)
    assert NOT_FUSED[name] in why_not_fused(packed) and "\n" not in why_not_fused(packed)
    assert not any(isinstance(part, FusedLayers) for part in packed.modules())
    wanted = models.logits(binviz.pack(model, fused=False), given)
    assert torch.equal(models.logits(packed, given), wanted)


def test_a_loaded_state_is_the_reason(models):
    model, _ = made(models, "bert")
    packed = binviz.pack(model)
    packed.load_state_dict(packed.state_dict())
    assert "a state was loaded" in why_not_fused(packed)


class Tempered(transformers.models.bert.modeling_bert.BertLayer):
    """Same name of a base, another order of calls."""

    def forward(self, hidden_states, *rest, **options):
        return super().forward(hidden_states / 2, *rest, **options)


class Doubling(nn.Module):
    def forward(self, x):
        return 2 * x


def tempered(model):
    model.bert.encoder.layer[1].__class__ = Tempered


def doubled(model):
    model.bert.encoder.layer[1].output.dropout = Doubling()


def patched(model):
    model.bert.encoder.layer[1].attention.forward = lambda x, *rest, **options: (x, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (tempered, "Tempered.forward is other code"),
        (doubled, "Doubling for dropout"),
        (patched, "BertAttention.forward was replaced"),
    ],
)
@torch.no_grad()
def test_a_layer_that_only_looks_like_a_known_one(models, change, reason):
    model = models.tiny("bert")
    change(model)
    first, second = map(known_layer, model.bert.encoder.layer)
    assert first[0].name == "BertLayer" and second[0] is None and reason in second[1]
    binviz.binarize_(model, "bibert")
    assert reason in why_not_fused(binviz.pack(model))
