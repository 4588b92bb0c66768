r"""A small MLP-Mixer (Tolstikhin et al. 2021, 2105.01601): linears over patches and linears over channels, by turns.

For tokens X, (patches, channels), with layer norms N and the matrices of two feed-forward parts,

$$U = X + \big(W_2\, \sigma(W_1\, N(X)^\top)\big)^\top, \quad Y = U + W_4\, \sigma(W_3\, N(U))$$

Both are linears that see no other positions but through the transpose, and all of them can be binary.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout
from binviz.networks.network import Network, NetworkConfig


class MixerConfig(NetworkConfig):
    """Settings of `Mixer`.

    image_size, patch_size: in pixels, the first a multiple of the second. width: channels of a patch. depth: blocks.
    The middle of both feed-forward parts is twice the width.

    >>> MixerConfig(image_size=32, patch_size=4, num_channels=3).width
    64
    """

    model_type = "binviz-mixer"

    image_size: int = 8
    patch_size: int = 2
    num_channels: int = 1
    width: int = 64
    depth: int = 4


class FeedForward(nn.Module):
    """Two linears with a GELU between them, (..., size) -> (..., size)."""

    def __init__(self, size: int, middle: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size, middle), nn.Linear(middle, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class MixerBlock(nn.Module):
    """Patches, then channels, each behind a layer norm and beside a shortcut: (B, patches, channels) to the same."""

    def __init__(self, patches: int, width: int) -> None:
        super().__init__()
        self.patch_norm, self.channel_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.patches, self.channels = FeedForward(patches, 2 * width), FeedForward(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.patches(self.patch_norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.channel_norm(x))


class Mixer(Network):
    """Pictures of one size to classes.

    >>> import torch
    >>> Mixer(MixerConfig(width=8, depth=1))(torch.zeros(2, 1, 8, 8)).logits.shape
    torch.Size([2, 10])
    """

    config_class = MixerConfig
    main_input_name = "pixel_values"

    def __init__(self, config: MixerConfig) -> None:
        super().__init__(config)
        patches = (config.image_size // config.patch_size) ** 2
        self.embed = nn.Conv2d(config.num_channels, config.width, config.patch_size, stride=config.patch_size)
        self.blocks = nn.Sequential(*(MixerBlock(patches, config.width) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.num_labels)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """All linears of the blocks become binary; the patch embedding sees the picture itself, the head answers.

        >>> list(Mixer(MixerConfig(width=8, depth=1)).binviz_layout().others)[:2]
        ['blocks.0.patches.fc1', 'blocks.0.patches.fc2']
        """
        paths = [
            f"blocks.{i}.{part}.{linear}"
            for i in range(len(self.blocks))
            for part in ("patches", "channels")
            for linear in ("fc1", "fc2")
        ]
        stay = {"embed": "first layer", "head": "last layer"}
        return Layout("MLP-Mixer", others={path: path for path in paths}, stay=stay)

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, **unused: object
    ) -> ImageClassifierOutput:
        """(B, C, H, W) -> logits (B, labels), and the cross-entropy where labels are given."""
        tokens = self.embed(pixel_values).flatten(2).transpose(1, 2)
        return self.answer(self.head(self.norm(self.blocks(tokens)).mean(1)), labels)
