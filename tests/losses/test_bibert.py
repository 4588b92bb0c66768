"""BiBERT's direction-matching loss against loops over its definition."""

import copy

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import losses
from binviz.layers.attention import use_binviz_attention
from binviz.losses.bibert import direction_distance, similarity
from binviz.losses.bit import logit_loss
from binviz.losses.labels import label_loss

LENGTHS = (5, 3)


def bert(labels=3):
    torch.manual_seed(1)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=30,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=12,
            max_position_embeddings=8,
            num_labels=labels,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


def batch(labels=(2, 0), garbage=0):
    ids = torch.tensor([[3, 7, 9, 11, 4], [3, 8, 4, garbage, garbage]])
    mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor(labels)}


def distance(s, t):
    """The definition: two lists of numbers, each divided by its length."""
    s, t = np.asarray(s, dtype=np.float64), np.asarray(t, dtype=np.float64)
    return np.sqrt(((s / np.sqrt((s**2).sum()) - t / np.sqrt((t**2).sum())) ** 2).sum())


def by_definition(student, teacher, inputs):
    """The loss without its logits and labels, sentence by sentence and head by head, from float projections."""
    tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        hidden = [model(**tokens, output_hidden_states=True).hidden_states for model in (student, teacher)]
    total = 0.0
    for layer in range(2):
        for part in ("query", "key", "value"):
            entries = [[], []]
            for which, model in enumerate((student, teacher)):
                linear = getattr(model.bert.encoder.layer[layer].attention.self, part)
                with torch.no_grad():
                    projected = linear(hidden[which][layer]).numpy()
                for sentence, length in enumerate(LENGTHS):
                    for head in range(2):
                        x = projected[sentence, :length, 4 * head : 4 * head + 4]
                        entries[which] += [a @ b / 2.0 for a in x for b in x]
            total += distance(*entries)
    for s, t in zip(*hidden, strict=True):
        entries = [
            [v for i, length in enumerate(LENGTHS) for v in h[i, :length].flatten().tolist()] for h in (s, t)
        ]
        total += distance(*entries)
    return total


@pytest.mark.parametrize("recipe", [None, "bibert", "bit-w1a1"])
@pytest.mark.parametrize("hidden_weight", [1.0, 0.25])
def test_against_the_definition(recipe, hidden_weight):
    teacher, student, inputs = bert().eval(), bert(), batch()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    if recipe:
        binviz.binarize_(student, recipe)
    use_binviz_attention(student.eval())
    loss = losses.get("bibert", copy.deepcopy(teacher), hidden_weight=hidden_weight)(student, inputs)
    tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    s, t = student(**tokens).logits, teacher(**tokens).logits
    wanted = logit_loss(s, t) + 0.5 * label_loss(s, inputs["labels"])
    wanted = wanted + hidden_weight * by_definition(student, teacher, inputs)
    torch.testing.assert_close(loss, wanted.float(), rtol=1e-4, atol=1e-4)


def test_padding_is_not_seen():
    loss_of = losses.get("bibert", bert())
    student = bert().eval()
    use_binviz_attention(student)
    nn.init.normal_(student.bert.encoder.layer[0].attention.self.query.weight)
    found = [loss_of(student, batch(garbage=garbage)).item() for garbage in (0, 17)]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_the_length_does_not_matter():
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert direction_distance(5 * x, x).item() == pytest.approx(0, abs=1e-6)
    assert direction_distance(-x, x).item() == pytest.approx(2)
    assert direction_distance(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])).item() == pytest.approx(
        2**0.5
    )


@pytest.mark.parametrize("where", ["equal", "zero"])
def test_a_gradient_where_the_norm_has_none(where):
    """A student that is its teacher, or has no direction, must not learn nan."""
    teacher = torch.tensor([1.0, 2.0])
    student = (teacher.clone() if where == "equal" else torch.zeros(2)).requires_grad_()
    direction_distance(student, teacher).backward()
    assert torch.isfinite(student.grad).all()


def test_similarity_is_of_each_head():
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    found = similarity(x, None)
    wanted = np.einsum("bhid,bhjd->bhij", x.numpy(), x.numpy()) / 2
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_queries_keys_and_values_learn():
    """Their gradient comes through the projections before the signs, in bf16 too."""
    student = bert()
    binviz.binarize_(student, "bibert")
    with torch.autocast("cpu", torch.bfloat16):
        losses.get("bibert", bert())(student.train(), batch()).backward()
    attention = student.bert.encoder.layer[1].attention.self
    for linear in (attention.query, attention.key, attention.value):
        assert linear.weight.grad is not None and linear.weight.grad.abs().sum() > 0


def test_nothing_listens_afterwards():
    teacher, student = bert(), bert()
    use_binviz_attention(student)
    loss_of = losses.get("bibert", teacher)
    with pytest.raises(RuntimeError):
        loss_of(student, {**batch(), "attention_mask": torch.ones(7, 9)})
    assert torch.isfinite(loss_of(student, batch()))
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_long_projections_that_point_apart_count():
    """The official code sets products at or below -100 to 0; these are -200 and as real as the others."""
    apart = torch.tensor([[20.0, 0.0, 0.0, 0.0], [-20.0, 0.0, 0.0, 0.0]])[None, None]
    assert similarity(apart, torch.ones(1, 2))[0, 0].tolist() == [[200.0, -200.0], [-200.0, 200.0]]
