r"""Knowledge distillation as BiT trains its students (Liu et al. 2022, 2205.13016, section 3.3).

$$L = -\frac1{BC}\sum_{b,c} p^{T}_{bc}\log p^{S}_{bc} \;+\; \sum_{l=0}^{L}\mathrm{MSE}(h^{S}_l, h^{T}_l)$$

over the logits' softmax at temperature 1 and every hidden state (the embedding's output and each layer's).
Departures from the official code: padding is left out of the mean squared error (see below); a single logit
(regression) is matched by its squared distance, where the soft cross-entropy of one class is zero;
the teacher's dropout is off, where the official one for GLUE runs in training mode. The official
optimizer is `binviz.training.bert_adam`; the loop's own is AdamW.

What padding changes. The official mean counts every position of batches padded to 64 or 128 word pieces. With SST-2's
phrases in batches of 16, drawn at random, 81 % of 64 positions are padding, and the gradient of an untrained bit-w1a1
student is away from ours by 1.9 times the length of ours (cosine 0.53). Padded to the batch's longest phrase, 65 % are,
and it is away by 1.6 times (0.60). Without padding the two are the same. `binviz.experiments.padding` measures this;
its record is among the shipped ones. Here phrases of similar length share a batch, so little is padded anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.losses.labels import classes_last, label_loss
from binviz.losses.loss import Batch, Loss, inputs_of, register


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Soft cross-entropy of (B, C) logits or (B, C, H, W) maps, mean over all of them; squared distance where C = 1.

    >>> round(logit_loss(torch.zeros(1, 2), torch.zeros(1, 2)).item(), 5)  # ln 2 / 2
    0.34657
    """
    student, teacher = classes_last(student), classes_last(teacher)
    if teacher.shape[-1] == 1:
        return F.mse_loss(student, teacher)
    return -(teacher.softmax(-1) * student.log_softmax(-1)).mean()


def hidden_loss(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], mask: Tensor | None) -> Tensor:
    """Sum over layers of the mean squared distance of (B, T, D) hidden states, at positions where mask is 1.

    Args:
        student, teacher: as many hidden states of the same shapes.
        mask: (B, T) of 0 and 1, or None for no padding.

    >>> ones, zeros = torch.ones(1, 2, 4), torch.zeros(1, 2, 4)
    >>> hidden_loss((ones, zeros), (zeros, zeros), torch.tensor([[1, 0]])).item()
    1.0
    """
    total = student[0].new_zeros((), dtype=torch.float32)
    for s, t in zip(student, teacher, strict=True):
        squared = (s.float() - t.float()).square().mean(-1)
        total = total + (squared.mean() if mask is None else (squared * mask).sum() / mask.sum())
    return total


def outputs(
    student: nn.Module, teacher: nn.Module, batch: Batch, targets: tuple[str, ...] = ("labels",)
) -> tuple[Any, Any]:
    """What student and teacher give for a batch, with hidden states; the teacher first and without gradient.

    Raises:
        UserError: they have other numbers of labels.
    """
    inputs = inputs_of(batch, targets)
    device = next(student.parameters()).device
    if next(teacher.parameters()).device != device:
        teacher.to(device)
    with torch.no_grad():
        wanted = teacher(**inputs, output_hidden_states=True)
    got = student(**inputs, output_hidden_states=True)
    if got.logits.shape != wanted.logits.shape:
        raise UserError(
            f"the teacher gives {wanted.logits.shape[-1]} labels and the student {got.logits.shape[-1]}; "
            "a teacher must be fine-tuned on the student's task"
        )
    return got, wanted


@register("bit")
class BitLoss(Loss):
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient.

    >>> from binviz import losses
    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> teacher = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    >>> losses.get("bit", teacher)(teacher, {"pixel_values": torch.zeros(2, 1, 8, 8)}).requires_grad
    True
    """

    @dataclass(frozen=True)
    class Options:
        """hidden_weight: of the hidden states' part; models without them have none. label_weight: of the labels'.

        BiT leaves the labels out.
        """

        hidden_weight: float = 1.0
        label_weight: float = 0.0

    needs_teacher = True

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        got, wanted = outputs(student, self.teacher, batch, self.targets)
        loss = logit_loss(got.logits.float(), wanted.logits.float())
        if self.options.hidden_weight and got.hidden_states is not None:
            mask = batch.get("attention_mask")
            hidden = hidden_loss(got.hidden_states, wanted.hidden_states, mask)
            loss = loss + self.options.hidden_weight * hidden
        if self.options.label_weight:
            loss = loss + self.options.label_weight * label_loss(got.logits.float(), batch["labels"])
        return loss
