r"""Two tasks at once, an information bottleneck and a float teacher's features: a reading of Bi-MTDP (2405.14136).

$$L = L_{\text{classes}} + w\, L_{\text{boundaries}}
  + \beta \cdot \tfrac12 \sum_c (\mu_c^2 + \sigma_c^2 - \ln \sigma_c^2 - 1)
  + \gamma\, \lVert \mu - \mu^T \rVert^2$$

The first two are cross-entropies of the pixels that have a label; a pixel on a boundary counts three times, since few
are. The third, averaged over positions, is the divergence of the bottleneck's Gaussians from the standard one; with it
the heads see numbers that are drawn. The last is a mean squared error to what a float teacher's heads see.

Zhang et al. 2024 drive what is behind a shared backbone towards a Gaussian, and correct the gradients by features of a
float net. No code was published, and binarizer, weights and places were not found: this formula is binviz's reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.losses.labels import NO_LABEL, label_loss
from binviz.losses.loss import Batch, Loss, inputs_of, register

#: How often a pixel on a boundary counts.
ON_BOUNDARY = 3.0


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Of Gaussians (B, C, ...) from the standard one: the sum over channels, its mean over all positions.

    >>> mean, deviation = torch.tensor([[1.0, -0.5]]), torch.tensor([[0.5, 2.0]])
    >>> round(divergence(mean, 2 * deviation.log()).item(), 6)
    1.75
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()


def boundary_loss(logits: Tensor, boundaries: Tensor) -> Tensor:
    """Binary cross-entropy of the pixels that have a label, weighted.

    Args:
        logits: (B, H, W).
        boundaries: (B, H, W) of 0 and 1, `NO_LABEL` where a pixel has none.

    >>> round(boundary_loss(torch.zeros(1, 1, 3), torch.tensor([[[1, 0, -100]]])).item(), 4)  # ln 2
    0.6931
    """
    weight = torch.where(boundaries == 1, ON_BOUNDARY, 1.0) * (boundaries != NO_LABEL)
    each = F.binary_cross_entropy_with_logits(logits, (boundaries == 1).to(logits.dtype), reduction="none")
    return (weight * each).sum() / weight.sum().clamp(min=1.0)


@register("two-tasks")
class TwoTasksLoss(Loss):
    """The first three parts above, of a network such as `binviz.networks.TwoHeads`.

    >>> from binviz import losses
    >>> from binviz.networks import TwoHeads, TwoHeadsConfig
    >>> model = TwoHeads(TwoHeadsConfig(width=4, num_labels=3))
    >>> labels = torch.zeros(2, 8, 8, dtype=torch.long)
    >>> batch = {"pixel_values": torch.zeros(2, 3, 8, 8), "labels": labels, "boundaries": labels}
    >>> loss = losses.LossChoice("two-tasks", {"kl": 1e-3}).make(targets=("labels", "boundaries"))
    >>> loss(model, batch).requires_grad
    True
    """

    @dataclass(frozen=True)
    class Options:
        """boundary_weight: w above. kl: beta; with 0 there is no bottleneck, and nothing is drawn."""

        boundary_weight: float = 1.0
        kl: float = 0.0

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        if "boundaries" not in batch:
            raise UserError(
                "this loss learns two tasks; take one with boundaries beside classes, such as camvid-boundaries"
            )
        return self.of(student(**inputs_of(batch, self.targets), sample=self.options.kl > 0), batch)

    def of(self, got: Any, batch: Batch) -> Tensor:
        """The loss of what a student gave for a batch."""
        loss = label_loss(got.logits.float(), batch["labels"])
        boundaries = boundary_loss(got.boundary_logits.float(), batch["boundaries"])
        loss = loss + self.options.boundary_weight * boundaries
        if self.options.kl:
            loss = loss + self.options.kl * divergence(got.mean.float(), got.log_variance.float())
        return loss


@register("bi-mtdp")
class BiMTDPLoss(TwoTasksLoss):
    """All four; the teacher runs in eval mode, without gradient."""

    @dataclass(frozen=True)
    class Options(TwoTasksLoss.Options):
        """features: gamma above; kl and boundary_weight as in `TwoTasksLoss`."""

        kl: float = 1e-3
        features: float = 1.0

    needs_teacher = True

    def of(self, got: Any, batch: Batch) -> Tensor:
        teacher, pictures = self.teacher, inputs_of(batch, self.targets)
        if next(teacher.parameters()).device != got.logits.device:
            teacher.to(got.logits.device)
        with torch.no_grad():
            wanted = teacher(**pictures)
        return super().of(got, batch) + self.options.features * F.mse_loss(got.mean, wanted.mean)
