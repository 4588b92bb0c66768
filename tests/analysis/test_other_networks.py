"""Capture in networks whose modules are called in their own way."""

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import analysis


@pytest.fixture
def mobile():
    from transformers import MobileBertConfig, MobileBertForSequenceClassification

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = MobileBertConfig(**sizes, vocab_size=50, embedding_size=16, intra_bottleneck_size=16)
    return MobileBertForSequenceClassification(config).eval()


INPUTS = {
    "input_ids": torch.tensor([[2, 7, 3, 5], [2, 9, 3, 0]]),
    "attention_mask": torch.tensor([[1] * 4, [1, 1, 1, 0]]),
}


def test_a_mask_behind_other_tensors_is_the_mask(mobile):
    """MobileBERT's attention takes query, key and value before it."""
    for recipe in (None, "bit-w1a1"):
        if recipe:
            binviz.binarize_(mobile, recipe)
        seen = binviz.capture(mobile, INPUTS)
        counted = seen.counted("layers.1.scores")
        assert counted.shape[-2:] == (4, 4) and counted[0].all()
        assert (
            not counted[1, ..., 3].any() and not counted[1, ..., 3, :].any() and counted[1, ..., :3, :3].all()
        )


def test_errors_of_mobilebert(mobile):
    import copy

    binary = copy.deepcopy(mobile)
    binviz.binarize_(binary, "bibert")
    table = analysis.errors(mobile, binary, INPUTS)
    assert len(table)


@pytest.mark.parametrize("masked", [False, True])
def test_torchs_own_encoder_is_seen_module_by_module(masked):
    """Its fast path calls no module inside, on nested tensors where there is padding."""
    network = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval()
    inputs = {"src": torch.randn(2, 5, 16)}
    if masked:
        inputs["src_key_padding_mask"] = torch.arange(5).expand(2, 5) >= torch.tensor([[5], [3]])
    flags = network.use_nested_tensor, network.layers[0].activation_relu_or_gelu
    seen = binviz.capture(network, inputs)
    assert seen["layers.0.linear1"].shape == (2, 5, 32) and seen["layers.1.norm2"].shape == (2, 5, 16)
    assert flags == (network.use_nested_tensor, network.layers[0].activation_relu_or_gelu)
    assert torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        torch.testing.assert_close(seen.output, network(**inputs))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


class Pair(torch.nn.Module):
    """Two texts, each with an encoder and a mask of its own."""

    def __init__(self):
        super().__init__()
        self.question, self.answer = (tiny_bert() for _ in range(2))

    def forward(self, asked, asked_mask, said, said_mask):
        return self.question(asked, asked_mask)[0].mean(1) + self.answer(said, attention_mask=said_mask)[
            0
        ].mean(1)


class Wrapped(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.question = tiny_bert()

    def forward(self, asked, mask):
        return self.question(asked, attention_mask=mask)[0]


def tiny_bert():
    sizes = {"vocab_size": 20, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    return transformers.BertModel(transformers.BertConfig(**sizes, num_hidden_layers=2)).eval()


def text(length, *lengths):
    ids = torch.randint(20, (len(lengths), length), generator=torch.Generator().manual_seed(length))
    return ids, (torch.arange(length) < torch.tensor(lengths)[:, None]).long()


@pytest.mark.parametrize("recipe", [None, "bibert"])
@pytest.mark.parametrize("kind", [Pair, Wrapped])
def test_every_encoder_has_the_mask_that_it_is_given(kind, recipe):
    """By what each encoder gives when it is captured alone."""
    torch.manual_seed(0)
    model, texts = kind(), {"question": text(5, 3, 5), "answer": text(7, 7, 2)}
    if recipe:
        binviz.binarize_(model, recipe)
    parts = dict(model.named_children())
    seen = binviz.capture(model, tuple(value for part in parts for value in texts[part]))
    for part, encoder in parts.items():
        ids, mask = texts[part]
        alone = binviz.capture(encoder, {"input_ids": ids, "attention_mask": mask})
        for name in alone:
            place = f"{part}.{name}" if kind is Pair else name
            np.testing.assert_array_equal(seen.flat(place), alone.flat(name), err_msg=place)
        assert alone.flat("embed").size == mask.sum() * 16
