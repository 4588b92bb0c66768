"""A small residual network for pictures, as binary convolutional networks need it (Bi-Real Net, 1808.00278)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout


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
    """3x3 convolution and batch norm with a shortcut around them, as binary networks need (1808.00278)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/stride, W/stride); the shortcut averages and repeats where shapes differ."""
        shortcut = F.avg_pool2d(x, self.conv.stride) if self.conv.stride != (1, 1) else x
        y = self.norm(self.conv(x))
        return F.hardtanh(y + shortcut.repeat(1, y.shape[1] // x.shape[1], 1, 1), -3.0, 3.0)


class DigitsCNN(PreTrainedModel):
    """A small residual network for 8x8 images: stem, two stages, average pooling, a linear head.

    >>> import torch
    >>> DigitsCNN(DigitsCNNConfig(width=8, depth=1))(torch.zeros(2, 1, 8, 8)).logits.shape
    torch.Size([2, 10])
    """

    config_class = DigitsCNNConfig
    main_input_name = "pixel_values"
    base_model_prefix = "network"

    def __init__(self, config: DigitsCNNConfig) -> None:
        super().__init__(config)
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        blocks = [ResidualConv(width, width, 1) for _ in range(config.depth)]
        blocks += [ResidualConv(width, 2 * width, 2)]
        blocks += [ResidualConv(2 * width, 2 * width, 1) for _ in range(config.depth - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(2 * width, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Every module keeps torch's own initialisation."""

    def binviz_layout(self) -> Layout:
        """The convolutions of the blocks become binary; the stem sees the picture itself, the head gives the answer.

        >>> list(DigitsCNN(DigitsCNNConfig(width=8, depth=1)).binviz_layout().others)
        ['blocks.0.conv', 'blocks.1.conv']
        """
        paths = [f"blocks.{i}.conv" for i in range(len(self.blocks))]
        stay = {"stem.0": "first layer", "head": "last layer"}
        return Layout("small residual network", others={path: path for path in paths}, stay=stay)

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, **unused: object
    ) -> ImageClassifierOutput:
        """(B, C, H, W) -> logits (B, labels), and the cross-entropy where labels are given."""
        logits = self.head(self.blocks(self.stem(pixel_values)).mean((2, 3)))
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits)
