r"""A small encoder and decoder that gives every pixel its classes (U-Net, Ronneberger et al. 2015, 1505.04597).

Convolutions halve the picture and their features are brought back beside those of the same size from the way down.
Bi-Real Net (1808.00278) has a shortcut around every convolution, which goes around those only that keep shape; BiDense
(2411.10346) has a float way around any of them, `binviz.layers.bypass`. Which of the two is all in which the two forms
of this network differ. The numbers of channels do not divide one another.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import SemanticSegmenterOutput

from binviz.adapters.layout import Layout
from binviz.layers.bypass import bypass
from binviz.networks.cnn import ResidualConv
from binviz.networks.network import Network, NetworkConfig

#: Channels of the stages, in halves of the first one's: each stage is half as wide and high as the one before.
HALVES = (2, 3, 5, 8)


class SceneUNetConfig(NetworkConfig):
    """Settings of `SceneUNet`.

    width: channels of the first stage, even; the others have 1.5, 2.5 and 4 times as many. around_all: whether a way
    goes around every convolution, or around those alone that keep shape. image_size: height and width that it was
    trained on; any other works too.

    >>> SceneUNetConfig(width=8, num_labels=11).num_labels
    11
    """

    model_type = "binviz-scene-unet"

    width: int = 16
    around_all: bool = False
    num_channels: int = 3
    image_size: int | list[int] | tuple[int, int] = (120, 160)


class DenseConv(ResidualConv):
    """A convolution of 3x3 and a batch norm, with a way around them where that is wanted or shapes are the same.

    >>> DenseConv(3, 5, 2, around_all=True)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 5, 3, 4])
    """

    def __init__(self, inputs: int, outputs: int, stride: int, around_all: bool) -> None:
        super().__init__(inputs, outputs, stride)
        self.around_all = around_all

    def shortcut(self, x: Tensor) -> Tensor:
        """The input in the output's shape, averaged where there is a stride; or zero."""
        stride, channels = self.conv.stride, self.conv.out_channels
        if self.around_all:
            return bypass(F.avg_pool2d(x, stride, ceil_mode=True) if stride != (1, 1) else x, channels)
        return x if (x.shape[1], stride) == (channels, (1, 1)) else x.new_zeros(())


class SceneUNet(Network):
    """Pictures of any size to maps of logits of that size.

    >>> model = SceneUNet(SceneUNetConfig(width=4, num_labels=3))
    >>> model(torch.zeros(2, 3, 13, 6)).logits.shape
    torch.Size([2, 3, 13, 6])
    """

    config_class = SceneUNetConfig
    main_input_name = "pixel_values"

    def __init__(self, config: SceneUNetConfig) -> None:
        super().__init__(config)
        widths = [config.width * halves // 2 for halves in HALVES]

        def pair(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            around = config.around_all
            return nn.Sequential(
                DenseConv(inputs, outputs, stride, around), DenseConv(outputs, outputs, 1, around)
            )

        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
        )
        self.down = nn.ModuleList(pair(a, b, 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(pair(a + b, a, 1) for a, b in reversed(list(pairwise(widths))))
        self.head = nn.Conv2d(widths[0], config.num_labels, 1)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """The convolutions between the stem, which sees the picture itself, and the head become binary.

        >>> list(SceneUNet(SceneUNetConfig(width=4)).binviz_layout().others)[:2]
        ['down.0.0.conv', 'down.0.1.conv']
        """
        paths = [
            f"{way}.{i}.{j}.conv" for way in ("down", "up") for i in range(len(HALVES) - 1) for j in (0, 1)
        ]
        stay = {"stem.0": "first layer", "head": "last layer"}
        return Layout("small U-Net", others={path: path for path in paths}, stay=stay)

    def features(self, pixel_values: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H/2, W/2), rounded up."""
        levels = [self.stem(pixel_values)]
        for stage in self.down:
            levels.append(stage(levels[-1]))
        x = levels.pop()
        for stage, level in zip(self.up, reversed(levels), strict=True):
            larger = F.interpolate(x, level.shape[-2:], mode="nearest")
            x = stage(torch.cat([level, larger], 1))
        return x

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, **unused: object
    ) -> SemanticSegmenterOutput:
        """(B, C, H, W) -> logits (B, labels, H, W), and the cross-entropy where labels (B, H, W) are given."""
        logits = self.head(self.features(pixel_values))
        logits = F.interpolate(logits, pixel_values.shape[-2:], mode="bilinear")
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return SemanticSegmenterOutput(loss=loss, logits=logits)
