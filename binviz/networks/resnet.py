"""A small residual network for pictures, plain or as Bi-Real Net has it: where the shortcuts are is all that differs.

Three stages of 3x3 convolutions, each half as wide and high as the one before and twice as deep (He et al. 2016,
1512.03385, section 4.2; 9 blocks are its ResNet-20). A plain block has one shortcut around its two convolutions, so
what a binary convolution makes reaches the next one as signs alone. Bi-Real Net (1808.00278) has one around every
convolution, which carries real numbers past each sign. No shortcut has numbers of its own. Where a ReLU would stand,
values are cut to [-3, 3]: behind a ReLU all signs are +1.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout
from binviz.errors import UserError
from binviz.networks.cnn import ResidualConv
from binviz.networks.network import Network, NetworkConfig

#: Architecture -> what a shortcut goes around.
AROUND = {"resnet": "block", "birealnet": "convolution"}


class ResNetConfig(NetworkConfig):
    """Settings of `ResNet`.

    width: channels of the first stage; the others have twice and four times as many. depth: blocks a stage.
    around: what a shortcut goes around, "block" (plain) or "convolution" (Bi-Real Net).

    >>> ResNetConfig(depth=3).around
    'block'
    """

    model_type = "binviz-resnet"

    width: int = 16
    depth: int = 1
    num_channels: int = 1
    image_size: int = 8
    around: str = "block"


class PlainBlock(nn.Module):
    """Two convolutions and a shortcut around both, (B, C, H, W) -> (B, C', H/stride, W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = ResidualConv(inputs, outputs, stride), ResidualConv(outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.hardtanh(self.first.norm(self.first.conv(x)), -3.0, 3.0)
        return F.hardtanh(self.second.norm(self.second.conv(y)) + self.first.shortcut(x), -3.0, 3.0)


class BiRealBlock(PlainBlock):
    """The same two convolutions with a shortcut around each."""

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class ResNet(Network):
    """Pictures of any size to classes.

    Raises:
        UserError: shortcuts around something else.

    >>> import torch
    >>> ResNet(ResNetConfig(width=4))(torch.zeros(2, 1, 8, 8)).logits.shape
    torch.Size([2, 10])
    """

    config_class = ResNetConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        if config.around not in AROUND.values():
            raise UserError(f"shortcuts go around {config.around!r}; say around='block' or 'convolution'")
        block = PlainBlock if config.around == "block" else BiRealBlock
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        blocks = [block(width, width, 1) for _ in range(config.depth)]
        for _ in range(2):
            blocks += [block(width, 2 * width, 2)]
            width *= 2
            blocks += [block(width, width, 1) for _ in range(config.depth - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width, config.num_labels)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """The convolutions of the blocks become binary; the stem sees the picture itself, the head gives the answer.

        >>> list(ResNet(ResNetConfig(width=4)).binviz_layout().others)[:2]
        ['blocks.0.first.conv', 'blocks.0.second.conv']
        """
        paths = [f"blocks.{i}.{part}.conv" for i in range(len(self.blocks)) for part in ("first", "second")]
        stay = {"stem.0": "first layer", "head": "last layer"}
        name = "ResNet" if self.config.around == "block" else "Bi-Real Net"
        return Layout(f"small {name}", others={path: path for path in paths}, stay=stay)

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, **unused: object
    ) -> ImageClassifierOutput:
        """(B, C, H, W) -> logits (B, labels), and the cross-entropy where labels are given."""
        return self.answer(self.head(self.blocks(self.stem(pixel_values)).mean((2, 3))), labels)
