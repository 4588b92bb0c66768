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

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from binviz.layers.tap import listening
from binviz.training.distill import label_loss, logit_loss, outputs
from binviz.training.loop import Batch

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


def bibert_loss(
    teacher: nn.Module, hidden_weight: float = 1.0, label_weight: float = 0.5
) -> Callable[[nn.Module, Batch], Tensor]:
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient.

    Args:
        teacher: a model of the student's shape, another object, for this use alone: it is made to show
            its projections. The student shows them if it is binary.
        hidden_weight: of the directions of hidden states, and of queries, keys and values.
        label_weight: of the task's own loss.

    >>> from binviz.zoo.networks import DigitsCNN, DigitsCNNConfig
    >>> teacher, student = (DigitsCNN(DigitsCNNConfig(width=4, depth=1)) for _ in range(2))  # no attention
    >>> batch = {"pixel_values": torch.zeros(2, 1, 8, 8), "labels": torch.tensor([3, 7])}
    >>> bibert_loss(teacher)(student, batch).requires_grad
    True
    """
    from binviz.layers.attention import use_binviz_attention

    use_binviz_attention(teacher.eval())
    of_teacher = {id(module) for module in teacher.modules()}

    def loss_of(student: nn.Module, batch: Batch) -> Tensor:
        shown: dict[bool, list[Tensor]] = {True: [], False: []}

        def note(module: nn.Module, part: str, value: Any) -> None:
            if part in PROJECTIONS:
                shown[id(module) in of_teacher].append(value)

        with listening(note):
            got, wanted = outputs(student, teacher, batch)
        mask = batch.get("attention_mask")
        distances = [
            direction_distance(similarity(s, mask), similarity(t, mask))
            for s, t in zip(shown[False], shown[True], strict=True)
        ]
        if got.hidden_states is not None:
            for s, t in zip(got.hidden_states, wanted.hidden_states, strict=True):
                kept = torch.ones(()) if mask is None else mask.unsqueeze(-1)
                distances.append(direction_distance(s * kept.to(s), t * kept.to(t)))
        loss = logit_loss(got.logits.float(), wanted.logits.float()) + hidden_weight * sum(distances)
        return loss + label_weight * label_loss(got.logits.float(), batch["labels"])

    return loss_of
