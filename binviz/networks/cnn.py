"""A small residual network for pictures, as binary convolutional networks need it (Bi-Real Net, 1808.00278)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PretrainedConfig
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout
from binviz.networks.network import Network


class DigitsCNNConfig(PretrainedConfig):
    """Settings of `DigitsCNN`.

    width: channels of the two stages are width and 2 * width. depth: residual blocks a stage.
    image_size: height and width it was trained on; any other works too.

    >>> config = DigitsCNNConfig(width=16)
    >>> config.depth, config.num_labels
    (2, 10)
    """

    model_type = "binviz-cnn"

    def __init__(
        self,
        width: int = 32,
        depth: int = 2,
        num_channels: int = 1,
        image_size: int = 8,
        **rest,
    ) -> None:
        if "id2label" not in rest:
            rest.setdefault("num_labels", 10)
        super().__init__(**rest)
        self.width, self.depth, self.num_channels, self.image_size = width, depth, num_channels, image_size


class ResidualConv(nn.Module):
    """Convolution and batch norm with a shortcut around them, as binary networks need (1808.00278).

    Args:
        inputs, outputs: channels; the second a multiple of the first.
        stride: of both axes, or of each.
        kernel: odd sizes.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int | tuple[int, int], kernel: tuple[int, int] = (3, 3)
    ) -> None:
        super().__init__()
        padding = kernel[0] // 2, kernel[1] // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/stride, W/stride), rounded up; the shortcut averages and repeats where shapes
        differ.
        """
        return F.hardtanh(self.norm(self.conv(x)) + self.shortcut(x), -3.0, 3.0)

    def shortcut(self, x: Tensor) -> Tensor:
        """The input in the output's shape."""
        channels, stride = self.conv.out_channels // self.conv.in_channels, self.conv.stride
        x = F.avg_pool2d(x, stride, ceil_mode=True) if stride != (1, 1) else x
        return x.repeat(1, channels, 1, 1)


def two_stages(
    width: int, depth: int, stride: int | tuple[int, int], kernel: tuple[int, int] = (3, 3)
) -> nn.Sequential:
    """`depth` blocks of `width` channels and as many of twice as many, the first of those with a stride.

    >>> [block.conv.out_channels for block in two_stages(8, 2, 2)]
    [8, 8, 16, 16]
    """
    blocks = [ResidualConv(width, width, 1, kernel) for _ in range(depth)]
    blocks += [ResidualConv(width, 2 * width, stride, kernel)]
    blocks += [ResidualConv(2 * width, 2 * width, 1, kernel) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)


class DigitsCNN(Network):
    """A small residual network for 8x8 images: stem, two stages, average pooling, a linear head.

    >>> import torch
    >>> DigitsCNN(DigitsCNNConfig(width=8, depth=1))(torch.zeros(2, 1, 8, 8)).logits.shape
    torch.Size([2, 10])
    """

    config_class = DigitsCNNConfig
    main_input_name = "pixel_values"

    def __init__(self, config: DigitsCNNConfig) -> None:
        super().__init__(config)
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.blocks = two_stages(width, config.depth, stride=2)
        self.head = nn.Linear(2 * width, config.num_labels)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """The convolutions of the blocks become binary, and the stem, which sees the picture itself, where a recipe
        binarizes pictures; the head gives the answer.

        >>> list(DigitsCNN(DigitsCNNConfig(width=8, depth=1)).binviz_layout().others)
        ['blocks.0.conv', 'blocks.1.conv']
        """
        paths = [f"blocks.{i}.conv" for i in range(len(self.blocks))]
        stay = {"stem.0": "first layer", "head": "last layer"}
        return Layout(
            "small residual network",
            others={path: path for path in paths},
            stay=stay,
            inputs={"stem.0": "stem.0"},
        )

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, **unused: object
    ) -> ImageClassifierOutput:
        """(B, C, H, W) -> logits (B, labels), and the cross-entropy where labels are given."""
        return self.answer(self.head(self.blocks(self.stem(pixel_values)).mean((2, 3))), labels)
