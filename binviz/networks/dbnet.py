r"""A small detector of text: DBNet (1911.08947) and, with adaptive scale fusion, DBNet++ (2202.10304).

A backbone of four levels, 1/4 to 1/32 of the picture's size, each a few convolutions with shortcuts around them. From
the coarsest on, every level is doubled in size and added to the next; all become as large as the finest and lie behind
one another, the coarsest first. Two heads of the same form make of them the probability P of text and the threshold T.

Adaptive scale fusion weighs the levels before that, pixel by pixel. With X a convolution of all of them,

    spatial            a = mean of X's channels, s = sigmoid(w relu(conv a)), weights = sigmoid(W (X + s))
    channel-spatial    first X + sigmoid(W2 relu(W1 mean of X's pixels)) in place of X

and level i is multiplied by the i-th of four maps of weights. Both are published; the second is that of DBNet++ on
TD500.

The paper's backbone is a ResNet with deformable convolutions, its widths are 256 and 64; ours are narrow, and binary
convolutions can stand in place of all but the first. Untrained heads say P = 1/4 and T = 0.3 nearly everywhere, as
their losses ask of a model that knows nothing (`binviz.losses.dbnet`): the soft step has a gradient only about 4/k
around its threshold. The official code has Kaiming's weights there, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.utils import ModelOutput

from binviz.adapters.layout import Layout
from binviz.errors import UserError
from binviz.networks.cnn import ResidualConv
from binviz.networks.network import Network, NetworkConfig

#: Architecture -> how levels are fused.
FUSED = {"dbnet": "none", "dbnet-spatial": "spatial", "dbnet-channel-spatial": "channel-spatial"}
LEVELS = 4


class DBNetConfig(NetworkConfig):
    """Settings of `DBNet`.

    width: channels of the stem; the levels have twice, and then four times as many. pyramid: channels of what the
    levels are added in, a multiple of 4. image_size: height and width it was trained on; other multiples of 32 work
    too. fusion: "none", "spatial" or "channel-spatial".

    >>> DBNetConfig(fusion="spatial").width
    12
    """

    model_type = "binviz-dbnet"

    width: int = 12
    pyramid: int = 24
    image_size: int = 128
    num_channels: int = 3
    fusion: str = "none"


@dataclass
class TextMaps(ModelOutput):
    """logits: of P, before the sigmoid. thresholds: T. Both (B, 1, H, W)."""

    logits: Tensor | None = None
    thresholds: Tensor | None = None


class Fusion(nn.Module):
    """Adaptive scale fusion: weights of the levels, (B, C, H, W) -> (B, levels, H, W).

    Args:
        inputs: channels of all levels together.
        inner: channels of X.
        levels: how many.
        channels: whether it is channel-spatial.

    >>> Fusion(16, 4, 4, channels=True)(torch.zeros(2, 16, 3, 5)).shape
    torch.Size([2, 4, 3, 5])
    """

    def __init__(self, inputs: int, inner: int, levels: int, channels: bool = False) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs, inner, 3, padding=1)
        self.channels = nn.Sequential()
        if channels:
            self.channels = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(inner, max(1, inner // 4), 1, bias=False),
                nn.ReLU(),
                nn.Conv2d(max(1, inner // 4), inner, 1, bias=False),
                nn.Sigmoid(),
            )
        self.spatial = nn.Sequential(
            nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(1, 1, 1, bias=False), nn.Sigmoid()
        )
        self.weights = nn.Conv2d(inner, levels, 1, bias=False)

    def forward(self, levels: Tensor) -> Tensor:
        x = self.reduce(levels)
        if len(self.channels):
            x = x + self.channels(x)
        x = x + self.spatial(x.mean(1, keepdim=True))
        return self.weights(x).sigmoid()


def head(inputs: int, start: float) -> nn.Sequential:
    """The logit of a number a pixel, four times as high and wide: (B, C, H, W) -> (B, 1, 4H, 4W).

    Args:
        inputs: channels.
        start: the number that it begins with.

    >>> found = head(8, 0.25)(torch.randn(2, 8, 3, 5)).sigmoid()
    >>> found.shape, bool((found - 0.25).abs().max() < 0.05)
    (torch.Size([2, 1, 12, 20]), True)
    """
    inner = inputs // 4
    last = nn.ConvTranspose2d(inner, 1, 2, 2)
    layers = nn.Sequential(
        nn.Conv2d(inputs, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.ConvTranspose2d(inner, inner, 2, 2),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        last,
    )
    kaiming_(layers)
    nn.init.normal_(last.weight, std=0.01)
    assert last.bias is not None
    nn.init.constant_(last.bias, math.log(start / (1 - start)))
    return layers


def kaiming_(module: nn.Module) -> None:
    """Draw the weights of its convolutions from Kaiming's normal distribution, in place."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(part.weight)


class DBNet(Network):
    """Pictures whose sides are multiples of 32 to maps of their size.

    Raises:
        UserError: another fusion, or channels that cannot be shared out.

    >>> found = DBNet(DBNetConfig(width=4))(torch.zeros(2, 3, 64, 32))
    >>> found.logits.shape, found.thresholds.shape
    (torch.Size([2, 1, 64, 32]), torch.Size([2, 1, 64, 32]))
    """

    config_class = DBNetConfig
    main_input_name = "pixel_values"

    def __init__(self, config: DBNetConfig) -> None:
        super().__init__(config)
        if config.fusion not in FUSED.values():
            raise UserError(f"levels are fused by {config.fusion!r}; say one of: {', '.join(FUSED.values())}")
        if config.pyramid % LEVELS or config.pyramid < LEVELS:
            raise UserError(f"the pyramid has {config.pyramid} channels; give a multiple of {LEVELS}")
        width, inner = config.width, config.pyramid
        wide = (width, 2 * width, 4 * width, 4 * width, 4 * width)
        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.levels = nn.ModuleList(
            nn.Sequential(ResidualConv(i, o, 2), ResidualConv(o, o, 1)) for i, o in pairwise(wide)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(channels, inner, 1, bias=False) for channels in wide[1:])
        self.smooth = nn.ModuleList(
            nn.Conv2d(inner, inner // LEVELS, 3, padding=1, bias=False) for _ in range(LEVELS)
        )
        of_channels = config.fusion == "channel-spatial"
        self.fusion = Fusion(inner, inner // LEVELS, LEVELS, of_channels) if config.fusion != "none" else None
        self.probability, self.threshold = head(inner, 0.25), head(inner, 0.3)
        for module in (self.lateral, self.smooth, self.fusion or nn.Sequential()):
            kaiming_(module)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """The backbone's convolutions become binary; the stem sees the picture itself, the rest makes maps of numbers.

        >>> layout = DBNet(DBNetConfig(width=4)).binviz_layout()
        >>> list(layout.others)[:2], len(layout.others)
        (['levels.0.0.conv', 'levels.0.1.conv'], 8)
        """
        paths = [
            f"levels.{i}.{j}.conv"
            for i, level in enumerate(self.levels)
            for j, _ in enumerate(level.children())
        ]
        stay = {"stem.0": "first layer"}
        convolutions = [path for path, part in self.named_modules() if isinstance(part, nn.Conv2d)]
        for path in convolutions:
            if path.startswith(("lateral", "smooth", "fusion")):
                stay[path] = "joins levels of several scales"
            elif path.startswith(("probability", "threshold")):
                stay[path] = "makes the answer, a number a pixel"
        return Layout("small DBNet", others={path: path for path in paths}, stay=stay)

    def forward(self, pixel_values: Tensor, **unused: object) -> TextMaps:
        """(B, C, H, W) -> logits of P and thresholds T, (B, 1, H, W)."""
        x, levels = self.stem(pixel_values), []
        for level, lateral in zip(self.levels, self.lateral, strict=True):
            x = level(x)
            levels.append(lateral(x))
        for i in reversed(range(LEVELS - 1)):
            levels[i] = levels[i] + F.interpolate(levels[i + 1], scale_factor=2)
        parts = [
            F.interpolate(self.smooth[i](levels[i]), scale_factor=2**i) if i else self.smooth[i](levels[i])
            for i in reversed(range(LEVELS))  # the coarsest first
        ]
        if self.fusion is not None:
            weights = self.fusion(torch.cat(parts, 1)).split(1, 1)
            parts = [part * weight for part, weight in zip(parts, weights, strict=True)]
        features = torch.cat(parts, 1)
        return TextMaps(logits=self.probability(features), thresholds=self.threshold(features).sigmoid())
