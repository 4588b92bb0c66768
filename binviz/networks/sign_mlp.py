r"""A network of signs alone: inputs, outputs and, once it is binarized, weights are all -1 or +1 (2310.15128).

$$X_{i+1} = \operatorname{sign}(X_i W_i^\top), \qquad p(\text{second of two labels}) = \sigma(X_n)$$

without biases and norms. The gradient of a sign is that of a hard tanh, 1 from -1 to +1, both included: sums of an odd
number of signs are odd, and without its ends nothing would pass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ImageClassifierOutput

from binviz import binarizers
from binviz.adapters.layout import Layout
from binviz.networks.network import Network, NetworkConfig


class SignMLPConfig(NetworkConfig):
    """Settings of `SignMLP`.

    inputs: signs that it reads. width: of each hidden layer. depth: how many of these there are.

    >>> SignMLPConfig(inputs=90, width=16, depth=2, num_labels=2).depth
    2
    """

    model_type = "binviz-sign-mlp"

    inputs: int = 3
    width: int = 5
    depth: int = 1


class SignLayer(nn.Module):
    r"""A linear without bias, and the sign of what it gives: (..., in) to (..., out).

    Its weights start even from $-\sqrt{1.5 / (\text{in} + \text{out})}$ to that.

    >>> x = SignLayer(3, 2)(torch.ones(4, 3))
    >>> x.shape, x.abs().unique().tolist()
    (torch.Size([4, 2]), [1.0])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.sign = binarizers.get("bnn")
        bound = (1.5 / (inputs + outputs)) ** 0.5
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return self.sign(self.linear(x))


class SignMLP(Network):
    """Rows of signs to one of two labels.

    >>> model = SignMLP(SignMLPConfig(inputs=3, num_labels=2))
    >>> model(bits=torch.tensor([[1.0, -1.0, 1.0]])).logits.abs().tolist()
    [[0.0, 1.0]]
    """

    config_class = SignMLPConfig
    main_input_name = "bits"

    def __init__(self, config: SignMLPConfig) -> None:
        super().__init__(config)
        sizes = [config.inputs, *[config.width] * config.depth, 1]
        self.layers = nn.ModuleList(map(SignLayer, sizes, sizes[1:]))
        self.post_init()

    def binviz_layout(self) -> Layout:
        """All layers become binary: the first reads signs, and the last answers with one.

        >>> SignMLP(SignMLPConfig(num_labels=2)).binviz_layout().others
        {'layers.0': 'layers.0.linear', 'layers.1': 'layers.1.linear'}
        """
        others = {f"layers.{i}": f"layers.{i}.linear" for i in range(len(self.layers))}
        return Layout("network of signs", others=others)

    def forward(self, bits: Tensor, labels: Tensor | None = None, **unused: object) -> ImageClassifierOutput:
        """(B, inputs) of -1 and +1 -> logits (B, 2), of which the first is 0, and their cross-entropy."""
        for layer in self.layers:
            bits = layer(bits)
        return self.answer(torch.cat([torch.zeros_like(bits), bits], -1), labels)
