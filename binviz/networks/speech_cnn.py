"""A small residual network for sounds: convolutions over time, a frequency a channel (TC-ResNet, 1904.03814).

A sum over time alone is a 2-d convolution with a kernel of height 1, for which there is a binary layer. Around every
convolution is a shortcut, as binary networks need (Bi-Real Net, 1808.00278).
"""

from __future__ import annotations

from torch import Tensor, nn
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout
from binviz.networks.cnn import two_stages
from binviz.networks.network import Network, NetworkConfig


class SpeechCNNConfig(NetworkConfig):
    """Settings of `SpeechCNN`.

    mels: frequencies of its input. width: channels of the two stages are width and 2 * width. depth: residual blocks
    a stage. kernel: frames that a block's convolution sees, odd.

    >>> config = SpeechCNNConfig(width=16)
    >>> config.mels, config.kernel, config.num_labels
    (32, 9, 10)
    """

    model_type = "binviz-speech-cnn"

    mels: int = 32
    width: int = 32
    depth: int = 2
    kernel: int = 9


class SpeechCNN(Network):
    """Log-mel spectrograms of any length: stem, two stages, the mean over time, a linear head.

    >>> import torch
    >>> SpeechCNN(SpeechCNNConfig(width=8, depth=1))(torch.zeros(2, 32, 21)).logits.shape
    torch.Size([2, 10])
    """

    config_class = SpeechCNNConfig
    main_input_name = "input_values"

    def __init__(self, config: SpeechCNNConfig) -> None:
        super().__init__(config)
        self.stem = nn.Sequential(
            nn.Conv2d(config.mels, config.width, (1, 3), padding=(0, 1), bias=False),
            nn.BatchNorm2d(config.width),
        )
        self.blocks = two_stages(config.width, config.depth, stride=(1, 2), kernel=(1, config.kernel))
        self.head = nn.Linear(2 * config.width, config.num_labels)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """The convolutions of the blocks become binary; the stem sees the sound itself, the head gives the answer.

        >>> SpeechCNN(SpeechCNNConfig(depth=1)).binviz_layout().stay
        {'stem.0': 'first layer', 'head': 'last layer'}
        """
        paths = [f"blocks.{i}.conv" for i in range(len(self.blocks))]
        stay = {"stem.0": "first layer", "head": "last layer"}
        return Layout("small network over time", others={path: path for path in paths}, stay=stay)

    def forward(
        self, input_values: Tensor, labels: Tensor | None = None, **unused: object
    ) -> ImageClassifierOutput:
        """(B, mels, frames) -> logits (B, labels), and the cross-entropy where labels are given."""
        features = self.blocks(self.stem(input_values.unsqueeze(2)))
        return self.answer(self.head(features.mean((2, 3))), labels)
