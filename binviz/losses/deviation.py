r"""Deviation-aware distillation: what is ambiguous counts for more, after DB-LLM (Chen et al. 2024, 2402.11960).

$$L = -\frac1N \sum_n w_n \sum_c p^T_{nc} \log p^S_{nc}, \qquad
w_n = \frac{(H^T_n H^S_n)^\gamma}{\tfrac1N \sum_m (H^T_m H^S_m)^\gamma}$$

over the N tokens of a batch, with the entropies H of teacher and student, from which no gradient flows back.

The formula is binviz's reading. The paper says that samples which teacher and student are both unsure of weigh more in
the distillation; its own formula, exponent and weights were not found, and there is no official code. With a gamma of 0
it is plain distillation of the logits.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from binviz.losses.bit import outputs
from binviz.losses.labels import classes_last
from binviz.losses.loss import Batch, Loss, register


def ambiguity(student: Tensor, teacher: Tensor, gamma: float) -> Tensor:
    """The weights above, their mean 1, of (N, C) log-probabilities; (N,), without gradient.

    >>> import torch
    >>> logs = torch.tensor([[0.0, -60.0], [1.0, 1.0]]).log_softmax(-1)  # sure, and unsure
    >>> [[round(x, 3) for x in ambiguity(logs, logs, gamma).tolist()] for gamma in (1.0, 0.0)]
    [[0.0, 2.0], [1.0, 1.0]]
    """
    of_student, of_teacher = (-(log.exp() * log).sum(-1) for log in (student.detach(), teacher.detach()))
    weights = (of_student * of_teacher).clamp(min=1e-12) ** gamma
    return weights / weights.mean()


@register("deviation-aware")
class DeviationAwareLoss(Loss):
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient.

    >>> import torch
    >>> from binviz import losses
    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> teacher = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    >>> losses.get("deviation-aware", teacher)(teacher, {"pixel_values": torch.zeros(2, 1, 8, 8)}).requires_grad
    True
    """

    @dataclass(frozen=True)
    class Options:
        """gamma: exponent of the entropies; 0 weighs everything alike."""

        gamma: float = 1.0

    needs_teacher = True

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        got, wanted = outputs(student, self.teacher, batch, self.targets)
        s, t = (
            classes_last(output.logits.float()).log_softmax(-1).flatten(0, -2) for output in (got, wanted)
        )
        mask = batch.get("attention_mask")
        if mask is not None and mask.numel() == len(s):  # padding says nothing
            s, t = s[mask.flatten() != 0], t[mask.flatten() != 0]
        return (ambiguity(s, t, self.options.gamma) * -(t.exp() * s).sum(-1)).mean()
