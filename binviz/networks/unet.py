r"""A small U-Net that says which noise is in a picture (Ho et al. 2020, 2006.11239), diffusers' `UNet2DModel` inside.

Levels of residual blocks, each level half as wide and high as the one before, a middle, and the same levels back, whose
blocks also see what the levels on the way down gave. All levels but the outermost have self-attention, as the network
of BinaryDM's bedrooms has (LDM-4, 2112.10752), which is this one with other sizes:

    UNetConfig(image_size=64, num_channels=3, widths=(224, 448, 672, 896), depth=2, head_size=32, norm_groups=32)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout
from binviz.networks.network import Network, NetworkConfig


class UNetConfig(NetworkConfig):
    """Settings of `UNet`.

    image_size, num_channels: of pictures. widths: channels of each level, from the outside in; multiples of head_size
    and norm_groups. depth: residual blocks of a level on the way down; there is one more on the way back. head_size:
    channels of a head of attention. norm_groups: of group norms.

    >>> UNetConfig(widths=(16, 32)).num_labels
    1
    """

    model_type = "binviz-unet"

    image_size: int = 8
    num_channels: int = 1
    widths: tuple[int, ...] | list[int] = (24, 48)
    depth: int = 1
    head_size: int = 12
    norm_groups: int = 8

    def __post_init__(self, **rest: object) -> None:
        if self.id2label is None:
            rest.setdefault("num_labels", 1)
        super().__post_init__(**rest)


class UNet(Network):
    """Noisy pictures to the noise in them: a number for each of theirs, as a regression gives one.

    >>> model = UNet(UNetConfig(widths=(8, 16), head_size=8, norm_groups=4))
    >>> model(torch.zeros(2, 1, 8, 8), torch.tensor([0, 999])).logits.shape
    torch.Size([2, 1, 8, 8, 1])
    """

    config_class = UNetConfig
    main_input_name = "noisy"

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        from diffusers import UNet2DModel

        attending = len(config.widths) - 1
        self.unet = UNet2DModel(
            sample_size=config.image_size,
            in_channels=config.num_channels,
            out_channels=config.num_channels,
            block_out_channels=tuple(config.widths),
            layers_per_block=config.depth,
            down_block_types=("DownBlock2D", *["AttnDownBlock2D"] * attending),
            up_block_types=(*["AttnUpBlock2D"] * attending, "UpBlock2D"),
            attention_head_dim=config.head_size,
            norm_num_groups=config.norm_groups,
        )
        self.post_init()

    def level_of(self, path: str) -> int:
        """The level of a module below a block of the U-Net, 0 outermost; the middle is one further in than the last.

        >>> model = UNet(UNetConfig(widths=(8, 16), head_size=8, norm_groups=4))
        >>> [model.level_of(f"unet.{path}") for path in ("up_blocks.1.resnets.0", "down_blocks.1", "mid_block")]
        [0, 1, 2]
        """
        levels, (_, part, *rest) = len(self.config.widths), path.split(".")
        if part == "mid_block":
            return levels
        return int(rest[0]) if part == "down_blocks" else levels - 1 - int(rest[0])

    def feature_paths(self) -> list[str]:
        """Modules whose outputs are the features of the residual blocks: a block, or its attention where it has one.

        >>> UNet(UNetConfig(widths=(8, 16), head_size=8, norm_groups=4)).feature_paths()[:2]
        ['unet.down_blocks.0.resnets.0', 'unet.down_blocks.1.attentions.0']
        """
        known = {path for path, _ in self.named_modules()}
        blocks = [path for path in known if path.rpartition(".")[0].endswith(".resnets")]
        attended = {path: path.replace(".resnets.", ".attentions.") for path in sorted(blocks)}
        return [attention if attention in known else path for path, attention in attended.items()]

    def binviz_layout(self) -> Layout:
        """Every layer of the blocks, named after where it is: outer levels, half of them, are `outer`, others `inner`.

        The first and the last convolution stay float, and so do the two linears that read the step.

        >>> names = list(UNet(UNetConfig(widths=(8, 16), head_size=8, norm_groups=4)).binviz_layout().others)
        >>> names[0], names[-1]
        ('outer.0.down_blocks.0.resnets.0.conv1', 'inner.2.mid_block.resnets.1.conv2')
        """
        stay = {
            "unet.conv_in": "first layer",
            "unet.time_embedding.linear_1": "reads the step",
            "unet.time_embedding.linear_2": "reads the step",
            "unet.conv_out": "last layer",
        }
        others = {}
        for path, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and path not in stay:
                level = self.level_of(path)
                place = "outer" if level < len(self.config.widths) // 2 else "inner"
                others[f"{place}.{level}.{path.removeprefix('unet.')}"] = path
        return Layout("U-Net", others=others, stay=stay)

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor | None = None,
        labels: Tensor | None = None,
        **unused: object,
    ) -> ImageClassifierOutput:
        """(B, C, H, W) at steps (B,) -> logits (B, C, H, W, 1), and their mean squared distance from labels, the noise.

        Without steps all of them are 0.
        """
        steps = noisy.new_zeros(len(noisy), dtype=torch.long) if timesteps is None else timesteps
        found = self.unet(noisy, steps).sample
        loss = None if labels is None else F.mse_loss(found, labels)
        return ImageClassifierOutput(loss=loss, logits=found.unsqueeze(-1))
