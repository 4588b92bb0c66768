r"""BNN: the plain sign with the clipped straight-through estimator.

Courbariaux et al. 2016, "Binarized Neural Networks" (1602.02830), eq. 1 and 4.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.errors import UserError

#: Whether a window lets the gradient through at exactly its edge.
Edge = Literal["passes", "blocks"]
EDGE = Option("gradient at exactly the edge of the window", in_training=True)


def check_edge(edge: str) -> Edge:
    """The edge itself.

    Raises:
        UserError: it is none.
    """
    if edge not in get_args(Edge):
        raise UserError(f"edge is 'passes' or 'blocks', not {edge!r}")
    return edge  # type: ignore[return-value]


def clipped(x: Tensor, edge: Edge = "passes", limit: Tensor | float = 1) -> Tensor:
    r"""Clipped straight-through derivative: 1 inside the window \|x\| < limit, else 0; at its edge, where
    \|x\| = limit, 1 if it "passes" and 0 if it "blocks".

    Papers do not say which, and codes differ. Floats hardly ever meet the edge; products of codes are
    integers, and many of them are exactly 1.

    >>> import torch
    >>> x = torch.tensor([-1.0, -0.5, 1.0, 1.5])
    >>> clipped(x).tolist(), clipped(x, "blocks").tolist()
    ([1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0])
    """
    return x.abs().le_(limit) if edge == "passes" else x.abs().lt_(limit)


class Clipped(Binarizer):
    """Base of binarizers that take signs and whose surrogate is the window of `clipped`.

    Args:
        features, channel_axis: see `Binarizer`.
        edge: "passes" or "blocks", see `clipped`.
    """

    options: ClassVar = {"edge": EDGE}

    def __init__(self, *, features: int = 1, channel_axis: int = -1, edge: Edge = "passes") -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self.edge = check_edge(edge)

    def _window(self, x: Tensor) -> Tensor:
        return clipped(x, self.edge)

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x)


@register("bnn")
class BNN(Clipped):
    r"""Sign of weights or activations, no scale.

    $$q(x) = \begin{cases} +1 & x \ge 0 \\ -1 & x < 0 \end{cases}
    \qquad \frac{\partial q}{\partial x} = \mathbf 1[\,|x| \le 1\,]$$

    Args:
        features, channel_axis: ignored; x has any shape.
        edge: whether the gradient "passes" or "blocks" at exactly |x| = 1.

    XNOR++ uses it for weights and activations too, because its learned factors scale the layer's
    output; BiBERT and BiViT use it for activations.

    The official code of BiBench edits the incoming gradient in place; this one does not. At the edge
    BiBench's BNN and BiBERT's linear layers pass the gradient; BiViT, BiBench's DoReFa and XNOR++, and
    everybody's queries, keys and values block it.

    >>> import torch
    >>> BNN()(torch.tensor([-0.3, 0.0, 2.0])).tolist()
    [-1.0, 1.0, 1.0]
    """

    takes = ("activation", "weight")

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), self._window, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))
