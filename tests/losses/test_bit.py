"""Losses against hand values, and what the official code gets wrong."""

import math

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from binviz import losses
from binviz.errors import UserError
from binviz.losses.bit import hidden_loss, logit_loss
from binviz.losses.labels import label_loss


class Told(nn.Module):
    """Answers what it was told to, times a parameter."""

    def __init__(self, logits, hidden=None):
        super().__init__()
        self.logits, self.hidden = torch.tensor(logits), hidden
        self.factor = nn.Parameter(torch.ones(()))
        self.grad_was_on = []

    def forward(self, output_hidden_states=False, **inputs):
        self.grad_was_on.append((torch.is_grad_enabled(), self.training))
        hidden = None if self.hidden is None else tuple(self.factor * h for h in self.hidden)
        return SequenceClassifierOutput(logits=self.factor * self.logits, hidden_states=hidden)


def test_logit_loss_by_hand():
    student, teacher = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[math.log(4.0), 0.0]])
    # p_T = (4/5, 1/5), p_S = (1/4, 3/4), mean over 1 x 2 entries
    wanted = -(0.8 * math.log(0.25) + 0.2 * math.log(0.75)) / 2
    assert logit_loss(student, teacher).item() == pytest.approx(wanted, rel=1e-6)


def test_one_logit_is_learned():
    """The official soft cross-entropy of one class is zero, whatever the student says."""
    student = torch.tensor([[1.0], [2.0]], requires_grad=True)
    loss = logit_loss(student, torch.tensor([[1.0], [5.0]]))
    assert loss.item() == pytest.approx(4.5)
    loss.backward()
    assert student.grad.tolist() == [[0.0], [-3.0]]


def test_the_official_loss_of_one_logit_is_zero():
    """Soft cross-entropy of one class, written as the official code has it: it and its gradient vanish everywhere."""
    teacher = torch.tensor([[1.0], [5.0]])
    for values in ([[1.0], [2.0]], [[-30.0], [1e4]]):
        student = torch.tensor(values, requires_grad=True)
        official = (-teacher.softmax(dim=-1) * student.log_softmax(dim=-1)).mean()
        official.backward()
        assert official.item() == 0 and student.grad.abs().max() == 0
        ours = logit_loss(student, teacher)
        assert ours.item() > 0 and torch.autograd.grad(ours, student)[0].abs().max() > 0


def test_students_and_teachers_have_the_same_labels():
    with pytest.raises(
        UserError, match="the teacher gives 3 labels and the student 2; a teacher must be fine-tuned"
    ):
        losses.get("bit", Told([[0.0, 1.0, 2.0]]))(Told([[1.0, 2.0]]), {"labels": torch.tensor([1])})


def test_hidden_loss_by_hand():
    s = (torch.tensor([[[1.0, 3.0], [0.0, 0.0]]]), torch.tensor([[[2.0, 2.0], [1.0, 1.0]]]))
    t = (torch.zeros(1, 2, 2), torch.ones(1, 2, 2))
    # layer 0: (1 + 9) / 2 and 0; layer 1: (1 + 1) / 2 and 0; the mean of two tokens, summed over layers
    assert hidden_loss(s, t, None).item() == pytest.approx(5 / 2 + 1 / 2)


def test_hidden_loss_does_not_see_padding():
    torch.manual_seed(0)
    s, t = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    alone = ((s[0] - t[0]).square().mean(-1).sum() + (s[1, :2] - t[1, :2]).square().mean(-1).sum()) / 7
    found = hidden_loss((s,), (t,), mask)
    torch.testing.assert_close(found, alone)
    s[1, 2:] = 1e6
    torch.testing.assert_close(hidden_loss((s,), (t,), mask), alone)


def test_hidden_states_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        hidden_loss((torch.zeros(1, 1, 1),), (), None)


def test_bit_loss_adds_up():
    torch.manual_seed(0)
    hidden = [tuple(torch.randn(2, 3, 4) for _ in range(3)) for _ in range(2)]
    student = Told([[1.0, 2.0], [0.5, 0.0]], hidden[0])
    teacher = Told([[0.0, 1.0], [3.0, 0.0]], hidden[1]).train()
    labels, mask = torch.tensor([0, 1]), torch.tensor([[1, 1, 1], [1, 0, 0]])
    batch = {"attention_mask": mask, "labels": labels}
    loss = losses.get("bit", teacher, hidden_weight=0.5, label_weight=2.0)(student, batch)
    wanted = (
        logit_loss(student.logits, teacher.logits)
        + 0.5 * hidden_loss(hidden[0], hidden[1], mask)
        + 2.0 * nn.functional.cross_entropy(student.logits, labels)
    )
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    assert student.factor.grad is not None and teacher.factor.grad is None
    # the official teacher trains along: its dropout is on
    assert teacher.grad_was_on == [(False, False)]


def test_models_without_hidden_states():
    student, teacher = Told([[1.0, 2.0]]), Told([[0.0, 1.0]])
    loss = losses.get("bit", teacher)(student, {"labels": torch.tensor([1])})
    torch.testing.assert_close(loss, logit_loss(student.logits, teacher.logits))


def test_labels_alone():
    labels = torch.tensor([1, 0])
    model = Told([[1.0, 2.0], [0.5, 0.0]])
    torch.testing.assert_close(
        losses.get("labels")(model, {"labels": labels}), nn.functional.cross_entropy(model.logits, labels)
    )
    assert label_loss(torch.tensor([[2.0]]), torch.tensor([5])).item() == 9.0
