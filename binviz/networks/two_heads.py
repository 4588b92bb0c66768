r"""A U-Net for two tasks at once: classes and boundaries of every pixel, behind one layer of Gaussians.

Shared features f are what `binviz.networks.scene_unet` gives. Two convolutions of 1x1 make of each of their positions a
mean $\mu$ and a variance $\sigma^2$, one for each channel, and the two heads see

$$z = \mu + \sigma \varepsilon, \quad \varepsilon \sim \mathcal N(0, 1)$$

where a loss asks for it (`binviz.losses.mtdp`), and $\mu$ in use. So a variational bottleneck can be trained with or
without, and what runs is the same.

Zhang et al. 2024, "Efficient Multitask Dense Predictor via Binarization" (Bi-MTDP, 2405.14136), has such a layer behind
its shared backbone. Its code was never published; where the layers stand and which are float is binviz's reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import SemanticSegmenterOutput

from binviz.adapters.layout import Layout
from binviz.networks.scene_unet import SceneUNet, SceneUNetConfig


@dataclass
class TwoHeadsOutput(SemanticSegmenterOutput):
    """Beside logits (B, labels, H, W): boundary_logits (B, H, W), mean and log_variance (B, C, H/2, W/2)."""

    boundary_logits: Tensor | None = None
    mean: Tensor | None = None
    log_variance: Tensor | None = None


class TwoHeadsConfig(SceneUNetConfig):
    """Settings of `TwoHeads`, those of a `SceneUNetConfig`.

    >>> TwoHeadsConfig(width=8).width
    8
    """

    model_type = "binviz-two-heads"


class TwoHeads(SceneUNet):
    """Pictures of any size to maps of logits of classes and of boundaries.

    >>> found = TwoHeads(TwoHeadsConfig(width=4, num_labels=3))(torch.zeros(2, 3, 13, 6))
    >>> found.logits.shape, found.boundary_logits.shape, found.mean.shape
    (torch.Size([2, 3, 13, 6]), torch.Size([2, 13, 6]), torch.Size([2, 4, 7, 3]))
    """

    config_class = TwoHeadsConfig

    def __init__(self, config: TwoHeadsConfig) -> None:
        super().__init__(config)
        self.mean, self.log_variance = (nn.Conv2d(config.width, config.width, 1) for _ in range(2))
        self.boundaries = nn.Conv2d(config.width, 1, 1)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """The convolutions of the backbone become binary.

        >>> list(TwoHeads(TwoHeadsConfig(width=4)).binviz_layout().stay)
        ['stem.0', 'head', 'mean', 'log_variance', 'boundaries']
        """
        found = super().binviz_layout()
        found.stay |= dict.fromkeys(("mean", "log_variance"), "the bottleneck") | {"boundaries": "last layer"}
        found.architecture = "small U-Net with two heads"
        return found

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, sample: object = False, **unused: object
    ) -> TwoHeadsOutput:
        """Logits of classes and boundaries, and the classes' cross-entropy where labels (B, H, W) are given.

        Args:
            pixel_values: (B, C, H, W).
            labels: of classes.
            sample: whether the heads see numbers that are drawn, or the means.
        """
        features = self.features(pixel_values)
        mean, log_variance = self.mean(features), self.log_variance(features)
        seen = mean
        if sample:
            # z = mu + sigma epsilon
            seen = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        size = pixel_values.shape[-2:]
        logits, boundaries = (
            F.interpolate(head(seen), size, mode="bilinear") for head in (self.head, self.boundaries)
        )
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return TwoHeadsOutput(
            loss=loss,
            logits=logits,
            boundary_logits=boundaries.squeeze(1),
            mean=mean,
            log_variance=log_variance,
        )
