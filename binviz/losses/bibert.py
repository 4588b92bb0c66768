r"""Direction-matching distillation, as BiBERT trains its students (Qin et al. 2022, 2203.06390, section 3.3).

A sign keeps directions and loses lengths, so lengths are taken out on both sides. With $n(X) = X / \lVert X \rVert_F$
and the projections before their signs:

$$P(X) = \frac{X X^\top}{\sqrt d}, \qquad
L = -\frac1{BC}\sum p^{T}\log p^{S} + \tfrac12 L_{\text{labels}}
  + \sum_{l}\sum_{X \in \{Q,K,V\}} \lVert n(P(X^S_l)) - n(P(X^T_l)) \rVert_F
  + \sum_{l} \lVert n(h^S_l) - n(h^T_l) \rVert_F$$

As in the official code, one norm is taken over a whole batch and all heads. Departures from it: padding is left
out, where the code leaves it in. Its cut, which sets entries of P at or below -100 to 0, is no mask, since the mask is
never added to these products: it drops pairs of positions whose projections are long and point apart, real ones and
padded ones alike, from P and from its norm. Here nothing is cut. A single logit is matched by its squared distance.
The official optimizer is `binviz.training.bert_adam`; the loop's own is AdamW.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from binviz.layers.attention import use_binviz_attention
from binviz.layers.tap import listening
from binviz.losses.bit import logit_loss, outputs
from binviz.losses.labels import label_loss
from binviz.losses.loss import Batch, Loss, register

PROJECTIONS = ("q", "k", "v")


def direction_distance(student: Tensor, teacher: Tensor) -> Tensor:
    r"""$\lVert n(S) - n(T) \rVert_F$, a scalar in [0, 2]: 0 for the same direction, 2 for the opposite one.

    A tensor of zeros has no direction and stays zero.

    >>> direction_distance(torch.tensor([3.0, 0.0]), torch.tensor([0.5, 0.0])).item()
    0.0
    """
    s, t = (x.float() / torch.linalg.vector_norm(x.float()).clamp(min=1e-12) for x in (student, teacher))
    return torch.linalg.vector_norm(s - t)


def similarity(x: Tensor, mask: Tensor | None) -> Tensor:
    """P(X) of (B, H, T, d) projections, (B, H, T, T) float32; zero in the rows and columns of padding.

    Args:
        x: projections of every head.
        mask: (B, T) of 0 and 1, or None for no padding.

    >>> similarity(torch.ones(1, 1, 2, 4), torch.tensor([[1, 0]])).tolist()
    [[[[2.0, 0.0], [0.0, 0.0]]]]
    """
    x = x.float() if mask is None else x.float() * mask[:, None, :, None]
    with torch.autocast(x.device.type, enabled=False):
        return x @ x.mT / x.shape[-1] ** 0.5


@register("bibert")
class BibertLoss(Loss):
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient.

    The teacher is made to show its projections; the student shows them if it is binary.

    >>> from binviz import losses
    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> teacher, student = (DigitsCNN(DigitsCNNConfig(width=4, depth=1)) for _ in range(2))  # no attention
    >>> batch = {"pixel_values": torch.zeros(2, 1, 8, 8), "labels": torch.tensor([3, 7])}
    >>> losses.get("bibert", teacher)(student, batch).requires_grad
    True
    """

    @dataclass(frozen=True)
    class Options:
        """hidden_weight: of directions of hidden states, queries, keys and values. label_weight: of the labels."""

        hidden_weight: float = 1.0
        label_weight: float = 0.5

    needs_teacher = True

    def __init__(
        self, options: Any, teacher: nn.Module | None = None, targets: tuple[str, ...] = ("labels",)
    ) -> None:
        super().__init__(options, teacher, targets)
        use_binviz_attention(self.teacher)
        self._of_teacher = {id(module) for module in self.teacher.modules()}

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        shown: dict[bool, list[Tensor]] = {True: [], False: []}

        def note(module: nn.Module, part: str, value: Any) -> None:
            if part in PROJECTIONS:
                shown[id(module) in self._of_teacher].append(value)

        with listening(note):
            got, wanted = outputs(student, self.teacher, batch, self.targets)
        mask = batch.get("attention_mask")
        distances = [
            direction_distance(similarity(s, mask), similarity(t, mask))
            for s, t in zip(shown[False], shown[True], strict=True)
        ]
        if got.hidden_states is not None:
            for s, t in zip(got.hidden_states, wanted.hidden_states, strict=True):
                kept = torch.ones(()) if mask is None else mask.unsqueeze(-1)
                distances.append(direction_distance(s * kept.to(s), t * kept.to(t)))
        loss = logit_loss(got.logits.float(), wanted.logits.float())
        loss = loss + self.options.hidden_weight * sum(distances)
        return loss + self.options.label_weight * label_loss(got.logits.float(), batch["labels"])
