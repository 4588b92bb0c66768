"""A vision transformer that sees small pictures through a few convolutions (Xiao et al. 2021, 2106.14881).

Patches of a 32-pixel picture cut straight into tokens learn slowly; convolutions before them give a small ViT what it
would need many epochs to find. All else is transformers' ViT. The convolutions are float, as a patch embedding is in
binary vision transformers.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from binviz.adapters import vit
from binviz.adapters.layout import Layout


class StemViTConfig(ViTConfig):
    """Settings of `StemViT`: those of a ViT, and the channels of the convolutions.

    stem: channels of each convolution, which is followed by batch norm, ReLU and the largest of 2x2. patch_size is
    what they make one token of, 2 ** len(stem).

    >>> config = StemViTConfig(stem=(32, 64), image_size=32)
    >>> config.patch_size, config.hidden_size
    (4, 96)
    """

    model_type = "binviz-stem-vit"

    stem: tuple[int, ...] | list[int] = (32, 64)
    image_size: int | list[int] | tuple[int, int] = 32
    hidden_size: int = 96
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    intermediate_size: int = 192

    def __post_init__(self, **rest: object) -> None:
        self.patch_size = 2 ** len(self.stem)
        super().__post_init__(**rest)


class ConvolutionalPatches(nn.Module):
    """Pictures to tokens, in place of transformers' patch embedding.

    Its last convolution, `projection`, has the model's width.
    """

    def __init__(self, config: StemViTConfig) -> None:
        super().__init__()
        channels = (config.num_channels, *config.stem)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.stem = nn.Sequential(*layers)
        self.projection = nn.Conv2d(channels[-1], config.hidden_size, 3, padding=1)
        self.image_size = (config.image_size, config.image_size)
        self.num_patches = (config.image_size // config.patch_size) ** 2

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, tokens, width)."""
        return self.projection(self.stem(pixel_values)).flatten(2).transpose(1, 2)


class StemViT(ViTForImageClassification):
    """A ViT behind convolutions, for pictures of 32 pixels.

    >>> import torch
    >>> model = StemViT(StemViTConfig(num_hidden_layers=1, num_labels=10))
    >>> model(torch.zeros(2, 3, 32, 32)).logits.shape
    torch.Size([2, 10])
    """

    config_class = StemViTConfig

    def __init__(self, config: StemViTConfig) -> None:
        super().__init__(config)
        self.vit.embeddings.patch_embeddings = ConvolutionalPatches(config)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """That of a ViT; the convolutions stay float, too.

        >>> model = StemViT(StemViTConfig(num_hidden_layers=1))
        >>> [path for path, why in model.binviz_layout().stay.items() if why == "first layers"][0][-6:]
        'stem.0'
        """
        found = vit.layout(self)
        assert found is not None
        place = "vit.embeddings.patch_embeddings.stem"
        found.inputs = {}  # its last convolution does not see the picture
        found.stay |= {
            f"{place}.{i}": "first layers"
            for i, part in enumerate(self.get_submodule(place))
            if isinstance(part, nn.Conv2d)
        }
        return found
