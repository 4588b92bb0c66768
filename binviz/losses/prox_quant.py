r"""ProxQuant: float weights that are drawn to their signs (Bai, Wang and Liberty 2019, 1810.00861).

$$W \leftarrow \hat W + \operatorname{sign}(W - \hat W) \max(|W - \hat W| - \lambda, 0)$$

behind every step, where $\hat W$ is W binarized: the proximal step of $\lambda \lVert W - \hat W \rVert_1$. The forward
pass, and so the gradient, is that of the float weights; only what is judged, and saved, has the binarized ones. A
weight that has come to its sign stays there until a gradient moves it by more than lambda.

In the paper lambda is the rate times a strength that grows with the steps, here it is given whole and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from binviz.binarizers import Binarizer, Code
from binviz.errors import UserError
from binviz.layers.base import BinaryLayer
from binviz.losses.labels import LabelLoss
from binviz.losses.loss import Batch, register


class AsItIs(Binarizer):
    """A weight in place of its codes."""

    def encode(self, x: Tensor) -> Code:
        return Code(x, x.new_ones(()), x.new_zeros(()))


def binary_layers(model: nn.Module) -> list[BinaryLayer]:
    """Those with a binary weight, in order."""
    return [module for module in model.modules() if isinstance(module, BinaryLayer)]


@contextmanager
def float_weights(model: nn.Module) -> Iterator[None]:
    """Within the block the model multiplies with its latent weights.

    >>> import torch
    >>> from binviz import binarizers
    >>> from binviz.layers import BinaryLinear
    >>> layer = BinaryLinear(1, 1, weight=binarizers.get("bnn"), activation=None, bias=False)
    >>> _ = layer.weight.data.fill_(0.25)
    >>> with float_weights(layer):
    ...     y = layer(torch.ones(1))
    >>> y.tolist(), layer(torch.ones(1)).tolist()
    ([0.25], [1.0])
    """
    own = [(layer, layer.weight_binarizer) for layer in binary_layers(model)]
    try:
        for layer, _ in own:
            layer.weight_binarizer = AsItIs()
        yield
    finally:
        for layer, binarizer in own:
            layer.weight_binarizer = binarizer


@register("prox-quant")
class ProxQuantLoss(LabelLoss):
    """What the labels say of the model with float weights, which behind every step come nearer to their signs.

    Raises:
        UserError: a negative shrink.

    >>> import torch
    >>> from binviz import binarizers
    >>> from binviz.layers import BinaryLinear
    >>> layer = BinaryLinear(4, 1, weight=binarizers.get("bnn"), activation=None, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[0.25, -0.875, 1.0, 2.0]]))
    >>> with torch.no_grad():
    ...     ProxQuantLoss(ProxQuantLoss.Options(shrink=0.25)).after_step(layer)
    >>> layer.weight.tolist()
    [[0.5, -1.0, 1.0, 1.75]]
    """

    @dataclass(frozen=True)
    class Options:
        """shrink: lambda, how much nearer a weight comes behind a step."""

        shrink: float = 0.02

        def __post_init__(self) -> None:
            if not 0 <= self.shrink < float("inf"):
                raise UserError(f"shrink must be 0 or more, not {self.shrink}")

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        with float_weights(student):
            return super().forward(student, batch)

    def after_step(self, student: nn.Module) -> None:
        for layer in binary_layers(student):
            aim = layer.weight_binarizer(layer.weight)
            away = layer.weight - aim
            layer.weight.copy_(aim + away.sign() * (away.abs() - self.options.shrink).clamp(min=0))
