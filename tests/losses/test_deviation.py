"""Deviation-aware distillation against sums over single tokens."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from binviz.losses import LossChoice


class Says(nn.Module):
    """A model that says its logits, whatever it is asked."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, **inputs):
        return SimpleNamespace(logits=1 * self.logits, hidden_states=None)


def pair():
    return Says(torch.randn(2, 3, 5)), Says(2 * torch.randn(2, 3, 5))


def by_hand(student, teacher, gamma, kept):
    weights, parts = [], []
    for at in kept:
        s, t = student.logits[at].detach().softmax(-1), teacher.logits[at].detach().softmax(-1)
        entropies = [-sum(p * p.log() for p in each) for each in (s, t)]
        weights.append((entropies[0] * entropies[1]) ** gamma)
        parts.append(-sum(p * q.log() for p, q in zip(t, s, strict=True)))
    return sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 0.5])
def test_a_loop_over_tokens(gamma):
    student, teacher = pair()
    loss = LossChoice("deviation-aware", {"gamma": gamma}).make(teacher)
    batch, everywhere = {"input_ids": torch.zeros(2, 3, dtype=torch.long)}, list(np.ndindex(2, 3))
    found = loss(student, batch)
    torch.testing.assert_close(found.detach(), by_hand(student, teacher, gamma, everywhere))
    found.backward()
    assert student.logits.grad.any() and teacher.logits.grad is None
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    padded = loss(student, batch | {"attention_mask": mask})
    kept = map(tuple, mask.nonzero().tolist())
    torch.testing.assert_close(padded.detach(), by_hand(student, teacher, gamma, kept))


def test_golden_vector_of_plain_distillation():
    """Of RBONN's official loss, which is that of a gamma of 0."""
    student, teacher = ([[1, 0, -1], [0.5, 0.5, 2]], [[2, 0, 0], [0, 1, 0]])
    student, teacher = (Says(torch.tensor(logits, dtype=torch.float32)) for logits in (student, teacher))
    found = LossChoice("deviation-aware", {"gamma": 0.0}).make(teacher)(student, {"x": torch.zeros(2)})
    assert found.item() == pytest.approx(1.139098, abs=1e-6)


def test_no_gradient_flows_through_the_weights():
    """That of a token is its weight times that of plain distillation, p_S - p_T, over the number of tokens."""
    student, teacher = pair()
    LossChoice("deviation-aware").make(teacher)(student, {"input_ids": torch.zeros(2, 3)}).backward()
    s, t = (model.logits.detach().softmax(-1) for model in (student, teacher))
    weights = (s * s.log()).sum(-1) * (t * t.log()).sum(-1)
    wanted = (weights / weights.mean())[..., None] * (s - t) / 6
    torch.testing.assert_close(student.logits.grad, wanted)


def test_a_token_that_both_are_sure_of_counts_for_nothing():
    sure = torch.full((1, 4), -60.0)
    sure[0, 0] = 60.0
    student = Says(torch.stack([sure, torch.zeros(1, 4)]))
    loss = LossChoice("deviation-aware").make(Says(student.logits.detach().clone()))
    loss(student, {"input_ids": torch.zeros(2, 1)}).backward()
    assert student.logits.grad.isfinite().all() and student.logits.grad[0].abs().max() < 1e-10
