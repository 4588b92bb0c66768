r"""What a detector of text learns from: three maps at once (DBNet, 1911.08947, section 3.5).

$$L = 5\,L_P + 10\,L_T + L_B$$

    L_P    cross-entropy of P with the shrunk words, over all their pixels and the hardest others, three for each
    L_T    mean |T - thresholds| near the words' edges
    L_B    1 - 2 sum(B g m) / (sum(B m) + sum(g m)), of the soft step B of P at T, shrunk words g, mask m

Sums run over the whole batch. Where it has no word at all, L_P is 0, as in the official code: such a batch teaches
nothing. There the labels are called `gt`, and P `binary`; B is `thresh_binary`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.losses.differentiable_binarization import SLOPE, differentiable_binarization
from binviz.losses.loss import Batch, Loss, inputs_of, register

#: Pixels without text for each with, the hardest ones; where a threshold that is not learned is.
HARD, FIXED = 3, 0.3
#: Keeps denominators from being zero.
TINY = 1e-6


def balanced_cross_entropy(probability: Tensor, shrunk: Tensor, mask: Tensor) -> Tensor:
    """L_P, of maps of one shape.

    >>> import torch
    >>> p = torch.tensor([0.9, 0.2, 0.6, 0.7, 0.1, 0.4])
    >>> g, m = torch.tensor([1.0, 0, 0, 1, 0, 0]), torch.tensor([1.0, 1, 1, 1, 1, 0])
    >>> round(balanced_cross_entropy(p, g, m).item(), 6)
    0.341366
    """
    text, other = (shrunk * mask).bool(), ((1 - shrunk) * mask).bool()
    loss = F.binary_cross_entropy(probability, shrunk, reduction="none")
    count = int(text.sum())
    hardest = loss[other].topk(min(int(other.sum()), HARD * count)).values
    return (loss[text].sum() + hardest.sum()) / (count + len(hardest) + TINY)


def threshold_error(threshold: Tensor, wanted: Tensor, near: Tensor) -> Tensor:
    """L_T, of maps of one shape; 0 where nothing is near an edge.

    >>> import torch
    >>> t, wanted = torch.tensor([0.3, 0.5, 0.7, 0.4]), torch.tensor([0.35, 0.7, 0.5, 0.3])
    >>> round(threshold_error(t, wanted, torch.tensor([1.0, 1, 0, 1])).item(), 6)
    0.116667
    """
    return ((threshold - wanted).abs() * near).sum() / near.sum().clamp(min=1)


def dice(soft: Tensor, shrunk: Tensor, mask: Tensor) -> Tensor:
    """L_B, of maps of one shape.

    >>> import torch
    >>> b = torch.tensor([0.9, 0.2, 0.6, 0.7, 0.1, 0.4])
    >>> g, m = torch.tensor([1.0, 0, 0, 1, 0, 0]), torch.tensor([1.0, 1, 1, 1, 1, 0])
    >>> round(dice(b, g, m).item(), 6)
    0.288889
    """
    return 1 - 2 * (soft * shrunk * mask).sum() / ((soft * mask).sum() + (shrunk * mask).sum() + TINY)


@register("dbnet")
class DBNetLoss(Loss):
    """The loss above, of a model that gives `logits` of P and `thresholds` T, both (B, 1, H, W).

    A batch has beside the inputs "shrunk", "mask", "thresholds" and "near", (B, H, W), see
    `binviz.data.text_regions`.

    Raises:
        UserError: no such threshold, or a slope that is not greater than 0.

    >>> from binviz import losses
    >>> losses.get("dbnet", k=10.0).options
    DBNetLoss.Options(k=10.0, threshold='learned', text_weight=5.0, threshold_weight=10.0, step_weight=1.0)
    """

    @dataclass(frozen=True)
    class Options:
        """k: the slope. threshold: "learned", or "fixed" at 0.3, where L_T is left out. Weights of the three parts."""

        k: float = SLOPE
        threshold: str = "learned"
        text_weight: float = 5.0
        threshold_weight: float = 10.0
        step_weight: float = 1.0

    def __init__(self, options: Any, *rest: Any, **named: Any) -> None:
        if options.threshold not in ("learned", "fixed"):
            raise UserError(f"the threshold is {options.threshold!r}; say 'learned' or 'fixed'")
        if not 0 < options.k < float("inf"):
            raise UserError(f"the slope k is {options.k}; give a number greater than 0")
        super().__init__(options, *rest, **named)

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        options, output = self.options, student(**inputs_of(batch, self.targets))
        probability = output.logits.float().squeeze(1).sigmoid()
        loss = options.text_weight * balanced_cross_entropy(probability, batch["shrunk"], batch["mask"])
        threshold: Tensor | float = FIXED
        if options.threshold == "learned":
            learned = threshold = output.thresholds.float().squeeze(1)
            error = threshold_error(learned, batch["thresholds"], batch["near"])
            loss = loss + options.threshold_weight * error
        soft = differentiable_binarization(probability, threshold, options.k)
        return loss + options.step_weight * dice(soft, batch["shrunk"], batch["mask"])
