"""Padding counts in the official loss, and in ours it does not."""

import copy

import pytest
import torch
import transformers

import binviz
from binviz import losses
from binviz.evidence import runs
from binviz.experiments.padding import compare, gradient, padded
from binviz.losses import bit


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
    )
    teacher = transformers.BertForSequenceClassification(config).eval()
    student = copy.deepcopy(teacher)
    # Activations stay float: how the gradient of an alpha is scaled depends on padding in both losses.
    binviz.binarize_(
        student,
        binviz.recipes.get("bnn-probs").but(
            "weights", activation=None, query=None, key=None, value=None, attention=None
        ),
    )
    ids = torch.randint(5, 30, (3, 6), generator=torch.Generator().manual_seed(1))
    return student.eval(), teacher, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_without_padding_both_losses_are_one(pair):
    student, teacher, batch = pair
    found = compare(student, teacher, batch, 6)
    assert found == pytest.approx({"padding": 0, "difference": 0, "cosine": 1, "ratio": 1}, abs=1e-6)


def test_padding_counts_in_the_official_loss_only(pair):
    student, teacher, batch = pair
    longer = padded(batch, 15)
    ours, wider = (gradient(student, teacher, b, padding=False) for b in (batch, longer))
    torch.testing.assert_close(wider, ours, rtol=1e-3, atol=1e-5)
    found = compare(student, teacher, batch, 15)
    assert found["padding"] == pytest.approx(9 / 15) and found["difference"] > 0.01


def test_ours_is_the_loss_that_trains(pair):
    student, teacher, batch = pair
    longer = padded(batch, 9)
    student.zero_grad()
    losses.get("bit", teacher)(student, longer).backward()
    trained = torch.cat([p.grad.flatten().double() for p in student.parameters() if p.grad is not None])
    torch.testing.assert_close(gradient(student, teacher, longer, padding=False), trained)


def test_what_the_loss_says_of_padding_is_what_is_recorded():
    found = runs.find("padding", "sst2.bit-w1a1.untrained").metrics
    said = " ".join(bit.__doc__.split())
    assert f"{found['padding_64']:.0%}".replace("%", " % of 64 positions are padding") in said
    assert (
        f"by {found['difference_64']:.1f} times the length of ours (cosine {found['cosine_64']:.2f})" in said
    )
    assert f"{found['padding_longest']:.0%}".replace("%", " % are") in said
    assert f"by {found['difference_longest']:.1f} times ({found['cosine_longest']:.2f})" in said
