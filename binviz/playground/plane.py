r"""Nets in two dimensions: what the dashboard's playground runs in the browser, with the library.

    2 numbers -> linear -> binarizer -> 1-bit linear -> ... -> binarizer -> linear -> 1 answer

The first layer and the last keep float weights unless `ends` says otherwise. All points are learned at once, so a run
is given by its settings and its seed. Random numbers are mulberry32's, which a browser has too, and everything is
float64: both sides take the same steps, and a test says so.

>>> import torch
>>> from binviz import binarizers
>>> x, t = points("circles")
>>> bits = start(net(8, 2, lambda rows: binarizers.get("xnor-weight"), lambda features: binarizers.get("bnn")))
>>> bits(x).shape, type(bits[1]).__name__
(torch.Size([200, 1]), 'BinaryLinear')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import cos, log, pi, sin, sqrt

import torch
from torch import Tensor, nn

from binviz.binarizers import Binarizer, Code, with_surrogate
from binviz.binarizers.bireal import triangle
from binviz.binarizers.bnn import clipped
from binviz.binarizers.fda import fourier, terms
from binviz.errors import UserError, near
from binviz.layers import BinaryLinear

#: Points that are trained on, and as many that are held out.
POINTS = 200
#: Derivatives that `Moved` may take in place of a binarizer's own.
SURROGATES: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": torch.zeros_like,
    "identity": torch.ones_like,
    "clipped": lambda y: clipped(y),
    "triangle": triangle,
    "fourier": lambda y: fourier(y, terms(0)),
}


def uniform(seed: int, stream: int = 0) -> Iterator[float]:
    """Numbers in [0, 1) without end: mulberry32, one sequence for each seed and stream.

    >>> [round(next(numbers), 6) for numbers in [uniform(0)] for _ in range(3)]
    [0.266429, 0.00033, 0.223272]
    """
    state, word = seed + stream * 0x9E3779B9, 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & word
        t = ((state ^ state >> 15) * (state | 1)) & word
        t ^= (t + (t ^ t >> 7) * (t | 61)) & word
        yield (t ^ t >> 14) / 2**32


def _circles(numbers: Iterator[float], t: int) -> tuple[float, float]:
    u, a = next(numbers), 2 * pi * next(numbers)
    r = 0.45 * sqrt(u) if t > 0 else 0.75 + 0.2 * u
    return r * cos(a), r * sin(a)


def _xor(numbers: Iterator[float], t: int) -> tuple[float, float]:
    u, v = 0.08 + 0.84 * next(numbers), 0.08 + 0.84 * next(numbers)
    side = -1 if next(numbers) < 0.5 else 1
    return side * u, side * t * v


def _moons(numbers: Iterator[float], t: int) -> tuple[float, float]:
    a = pi * next(numbers)
    return 0.65 * t * (cos(a) - 0.5), 0.65 * t * (sin(a) - 0.25)


def _spirals(numbers: Iterator[float], t: int) -> tuple[float, float]:
    u = next(numbers)
    a, r = 1.25 * 2 * pi * u + (0 if t > 0 else pi), 0.1 + 0.85 * u
    return r * cos(a), r * sin(a)


SHAPES = {"circles": _circles, "xor": _xor, "moons": _moons, "spirals": _spirals}


def points(shape: str, noise: float = 0.0, seed: int = 0, *, held_out: bool = False) -> tuple[Tensor, Tensor]:
    """200 points of a shape, (200, 2) float64, and their labels -1 and +1, (200,) float64.

    Args:
        shape: "circles", "xor", "moons" or "spirals".
        noise: standard deviation of what is added to both coordinates.
        seed: of the points.
        held_out: others of the same kind, to judge by.

    Raises:
        UserError: another shape.

    >>> points("moons", seed=1)[1][:4].tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    if shape not in SHAPES:
        raise UserError(f"no points are called {shape!r}; {near(shape, list(SHAPES))}")
    numbers, rows = uniform(seed, 2 if held_out else 1), []
    for i in range(POINTS):
        t = 1 if i % 2 else -1
        a, b = SHAPES[shape](numbers, t)
        size, angle = noise * sqrt(-2 * log(1 - next(numbers))), 2 * pi * next(numbers)
        rows.append((a + size * cos(angle), b + size * sin(angle), t))
    table = torch.tensor(rows, dtype=torch.float64)
    return table[:, :2], table[:, 2]


class Moved(Binarizer):
    r"""A binarizer moved by hand: its threshold by t, its scale by a factor c, its surrogate's width by w.

    $$q(x) = q_0(y), \quad s = c\, s_0, \quad y = \frac{x - t}{w}
    \qquad \frac{\partial q}{\partial x} = \tfrac1w\, q_0'(y)$$

    so that a wider surrogate is a flatter one and keeps its area. A scale taken from the data is that of x - t.

    Args:
        of: the binarizer.
        threshold: t.
        scale: c.
        width: w.
        surrogate: "own", or one of `SURROGATES` in place of the binarizer's derivative, by the distance from where
            its code changes.

    Raises:
        UserError: a width that is not above 0, or another surrogate.

    >>> from binviz import binarizers
    >>> x = torch.tensor([-1.0, 0.5, 1.5], requires_grad=True)
    >>> y = Moved(binarizers.get("bnn"), threshold=1.0, scale=3.0, width=2.0)(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([-3.0, -3.0, 3.0], [1.5, 1.5, 1.5])
    """

    def __init__(
        self,
        of: Binarizer,
        *,
        threshold: float = 0.0,
        scale: float = 1.0,
        width: float = 1.0,
        surrogate: str = "own",
    ) -> None:
        super().__init__(features=of.features, channel_axis=of.channel_axis)
        if not width > 0:
            raise UserError(f"width must be greater than 0, not {width}")
        if surrogate != "own" and surrogate not in SURROGATES:
            raise UserError(f"no surrogate is called {surrogate!r}; {near(surrogate, ['own', *SURROGATES])}")
        self.of = of
        self.levels, self.scale_kind, self.takes = of.levels, of.scale_kind, of.takes
        self.threshold, self.scale, self.width, self.surrogate = threshold, scale, width, surrogate

    def encode(self, x: Tensor) -> Code:
        y = (x - self.threshold) / self.width
        code = self.of.encode(y)
        q = code.q
        if self.surrogate != "own":
            cut = self.of.cut(y)
            assert cut is not None  # all codes of two levels have one
            q = with_surrogate(cut.position - cut.at, q.detach(), SURROGATES[self.surrogate])
        from_data = self.of.scale_kind != "none" and not self.of.scales
        return Code(q, self.scale * (code.scale * self.width if from_data else code.scale), code.shift)


def net(
    width: int,
    depth: int,
    weight: Callable[[int], Binarizer] | None = None,
    activation: Callable[[int], Binarizer] | None = None,
    ends: bool = False,
) -> nn.Sequential:
    """A net of 2 inputs, `depth` layers of `width` units and 1 output, in float64.

    Args:
        width, depth: of the hidden layers, at least 1.
        weight: output rows -> a new binarizer of a layer's weights; None keeps them float.
        activation: features -> a new binarizer of a layer's input; None takes tanh of it instead.
        ends: the first layer's and the last one's weights are binarized too.

    >>> [type(layer).__name__ for layer in net(8, 2)]
    ['Linear', 'Tanh', 'Linear', 'Tanh', 'Linear']
    """
    if width < 1 or depth < 1:
        raise UserError(f"a net has at least one hidden layer of one unit, not {depth} of {width}")
    sizes, layers = [2, *[width] * depth, 1], list[nn.Module]()
    for place, (inputs, outputs) in enumerate(pairwise(sizes)):
        reads = activation(inputs) if activation and place else None
        if place and reads is None:
            layers.append(nn.Tanh())
        if weight and (ends or 0 < place < depth):
            layers.append(BinaryLinear(inputs, outputs, weight=weight(outputs), activation=reads))
        else:
            layers += ([] if reads is None else [reads]) + [nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers).double()


@torch.no_grad()
def start(net: nn.Sequential, seed: int = 0) -> nn.Sequential:
    """The net, its weights and biases uniform in ±1 / sqrt(inputs) as `nn.Linear` has them, by `uniform`.

    >>> start(net(1, 1), seed=3)[0].weight.abs().max().item() < 0.5**0.5
    True
    """
    numbers = uniform(seed)
    for layer in net:
        if isinstance(layer, nn.Linear):
            bound = 1 / sqrt(layer.in_features)
            for parameter in (layer.weight, layer.bias):
                drawn = [bound * (2 * next(numbers) - 1) for _ in range(parameter.numel())]
                parameter.copy_(torch.tensor(drawn, dtype=parameter.dtype).view_as(parameter))
    return net


def loss(net: nn.Module, x: Tensor, t: Tensor) -> Tensor:
    """Mean of -log sigmoid(t net(x)) over the points."""
    return -nn.functional.logsigmoid(t * net(x)[:, 0]).mean()
