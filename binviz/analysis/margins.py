r"""How many bits an answer is away from another one: flips of 1-bit weights, on one input.

The last binary linear layer adds up signs, and what follows it is known, so there the fewest flips can be found. A flip
of weight $w_{jk}$ moves the sum of row j, and no other, by $-2 s_j w_{jk} \hat x_k$ ($\hat x$ the binarized input,
$s_j$ the scale). Of m flips in a row those with the largest moves in the wanted direction are best, whatever increasing
function follows. So each row has a best gain for each m, and dynamic programming puts the rows together: the least
score with n flips in all. How exact that is depends on what follows, the layer's *readout*:

- an increasing function of each sum (tanh in BERT's pooler, ReLU, none), then a float linear: the score is a sum over
  rows, and the number is exact;
- a residual, a layer norm and a float linear at one token (ViT): the answer turns where $a \cdot v + c\,\sigma(v) < 0$,
  and the spread $\sigma$ couples the rows. A tangent in its place that is never above gives a number that is *needed*
  for sure; the flips found so, tried on the readout itself, one that is *enough*. Mostly the two are equal.

In a layer further below flips go through the rest of the network: see `binviz.analysis.turning`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from binviz.analysis.capture import capture
from binviz.analysis.sites import layout_for_reading
from binviz.errors import UserError
from binviz.layers import BinaryLinear

if TYPE_CHECKING:
    pass

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
#: Flips that are looked for behind a norm: first few, as time grows with them.
MOST = (256, 2048, 8192)
#: Modules that compute an increasing function of each number.
INCREASING = (nn.Tanh, nn.ReLU, nn.Sigmoid, nn.Hardtanh, nn.Identity, nn.Dropout)


@dataclass(frozen=True)
class Margin:
    """How far one answer is from another.

    answer, other: the classes. needed: flips without which the other does not win, proven; None where it wins with none
    at all. enough: flips with which it does, None where none were found. flips: (enough, 2) rows and columns of these
    weights.

    >>> Margin(0, 1, 3, 3, np.zeros((3, 2), int)).exact
    True
    """

    answer: int
    other: int
    needed: int | None
    enough: int | None
    flips: Counts

    @property
    def exact(self) -> bool:
        """Whether no other number can be the least."""
        return self.needed == self.enough


@dataclass(frozen=True)
class Readout:
    """The last binary linear layer on one input, and what makes logits of its sums.

    path: of the layer. moves: (rows, K), what a flip of each weight adds to its row. value: (rows,), what the function
    or the norm reads. head, bias: (classes, rows), (classes,) of the float linear. function: elementwise, increasing;
    None where a layer norm follows. norm: its gain, shift and epsilon.
    """

    path: str
    moves: Numbers
    value: Numbers
    head: Numbers
    bias: Numbers
    function: Callable[[Numbers], Numbers] | None = None
    norm: tuple[Numbers, Numbers, float] | None = None

    @property
    def answer(self) -> int:
        """The class with the largest logit."""
        return int(self.logits(self.value).argmax())

    def logits(self, value: Numbers) -> Numbers:
        """(rows,) -> (classes,)."""
        if self.function is not None:
            return self.head @ self.function(value) + self.bias
        assert self.norm is not None
        gain, shift, epsilon = self.norm
        return (
            self.head @ ((value - value.mean()) / np.sqrt(value.var() + epsilon) * gain + shift) + self.bias
        )

    def flipped(self, flips: Counts) -> Numbers:
        """The value after flips of the weights in these rows and columns, (n, 2)."""
        value = self.value.copy()
        np.add.at(value, flips[:, 0], self.moves[flips[:, 0], flips[:, 1]])
        return value


def margins(readout: Readout, others: Sequence[int] | None = None) -> list[Margin]:
    """From the answer to other classes, by flips of the last binary layer's weights.

    Args:
        readout: see `read_out`.
        others: classes; None for all.

    >>> moves = np.array([[-2.0, 2.0, -2.0]])
    >>> one = Readout("fc", moves, np.array([3.0]), np.array([[1.0], [0.0]]), np.array([0.0, 0.5]), lambda y: y)
    >>> [(margin.other, margin.enough, margin.exact) for margin in margins(one)]
    [(1, 2, True)]
    """
    solve = _elementwise if readout.norm is None else _normed
    known = range(len(readout.bias)) if others is None else others
    return [solve(readout, other) for other in known if other != readout.answer]


def read_out(model: nn.Module, inputs: Any) -> Readout:
    """The last binary linear layer of a classifier on one input, and what follows it.

    Args:
        model: with BERT's pooler, or a ViT; or a Sequential that ends in a BinaryLinear, `INCREASING` modules or none,
            and a float Linear. It is not touched.
        inputs: as in `capture`, one example.

    Raises:
        UserError: a model that ends otherwise, or whose last binary layer has several bases.
    """
    layout = layout_for_reading(model)
    name, value_name, path, functions, norm, head = _ending(model, layout)
    layer = model.get_submodule(path)
    if not isinstance(layer, BinaryLinear) or layer.weight_binarizer.basis_count != 1:
        raise UserError(f"the layer {path} is not binary with one basis, so its flips cannot be counted")
    operand = f"{name}.decoded" if layer.activation_binarizer is not None else value_name
    if layer.activation_binarizer is None:
        raise UserError(
            f"the layer {path} keeps its input float; only layers with both operands of 1 bit are counted"
        )
    seen = capture(model, inputs, [operand, value_name])
    x, value = (np.asarray(seen[each], np.float64) for each in (operand, value_name))
    if len(x) != 1:
        raise UserError(f"{len(x)} examples; a margin is of one")
    x, value = (each.reshape(-1, each.shape[-1])[0] for each in (x, value))  # of a sequence, its first token
    with torch.no_grad():
        code = layer.weight_binarizer.bases(layer.weight)[0]
        scale = (code.scale * torch.ones_like(code.q[:, :1])).double()
        if layer.output_scale is not None:
            scale = scale * layer.output_scale.double()[:, None]
        moves = -2 * (scale * code.q.double()).numpy() * x

    def function(values: Numbers) -> Numbers:
        passed = torch.from_numpy(values)
        for module in functions:
            passed = module.eval()(passed)
        return passed.numpy()

    def of(parameter: Tensor) -> Numbers:
        return parameter.detach().double().numpy()

    bias = of(head.bias) if head.bias is not None else np.zeros(head.out_features)
    found = Readout(
        path,
        moves,
        value,
        of(head.weight),
        bias,
        function if norm is None else None,
        norm and (of(norm.weight), of(norm.bias), float(norm.eps)),
    )
    output = getattr(seen.output, "logits", seen.output)[0].detach().double().numpy()
    if not np.allclose(found.logits(value), output, rtol=1e-3, atol=1e-3):
        raise UserError(
            f"what follows the last binary layer of {type(model).__name__} is not known; no bit is counted"
        )
    return found


def _ending(model: nn.Module, layout: Any) -> tuple[str, str, str, list[nn.Module], Any, nn.Linear]:
    """Names of the last binary layer and of what follows reads, its path, functions or a norm behind, the head."""
    head = getattr(model, "classifier", None)
    if "pooler" in layout.others and isinstance(head, nn.Linear):
        path = layout.others["pooler"]
        activation = model.get_submodule(f"{path.rpartition('.')[0]}.activation")
        if isinstance(activation, INCREASING):
            return "pooler", "pooler", path, [activation], None, head
    norms = [part for name, part in model.named_modules() if name.split(".")[-1] == "layernorm"]
    if (
        layout.blocks
        and isinstance(head, nn.Linear)
        and len(norms) == 1
        and isinstance(norms[0], nn.LayerNorm)
    ):
        last = layout.blocks[-1]
        return f"{last.name}.ffn_act", last.layer, last.fc2, [], norms[0], head
    if isinstance(model, nn.Sequential):
        *before, (_, head) = model.named_children()
        behind: list[nn.Module] = []
        while before and isinstance(before[-1][1], INCREASING):
            behind.insert(0, before.pop()[1])
        if before and isinstance(before[-1][1], BinaryLinear) and type(head) is nn.Linear:
            path = before[-1][0]
            return path, path, path, behind, None, head
    raise UserError(
        f"what follows the last binary layer of {type(model).__name__} is not known; the exact number is for BERT's "
        "pooler, ViT, and a Sequential that ends in a binary and a float linear"
    )


def _best(moves: Numbers) -> tuple[Numbers, Counts]:
    """The largest rise of a sum by 0, 1, 2, ... flips, and the order in which they are made."""
    order = np.argsort(-moves, kind="stable")
    order = order[moves[order] > 0]
    return np.concatenate([[0.0], np.cumsum(moves[order])]), order


def _least(gains: list[Numbers], most: int) -> list[Numbers]:
    """The least sum of the gains of the first 0, 1, 2, ... rows, with at most 0, 1, ..., `most` flips.

    >>> [row.tolist() for row in _least([np.array([0.0, -1.0]), np.array([0.0, 0.0, -3.0])], 3)]
    [[0.0, 0.0, 0.0, 0.0], [0.0, -1.0, -1.0, -1.0], [0.0, -1.0, -3.0, -4.0]]
    """
    least, with_m = [np.zeros(most + 1)], np.empty(most + 1)
    for gain in gains:
        before, new = least[-1], least[-1].copy()
        for m in range(1, min(len(gain) - 1, most) + 1):
            part = with_m[m:]
            np.add(before[: most + 1 - m], gain[m], out=part)
            np.minimum(new[m:], part, out=new[m:])
        least.append(new)
    return least


def _flips(
    least: list[Numbers], gains: list[Numbers], n: int, columns: Callable[[int, int], Counts]
) -> Counts:
    """Rows and columns of the flips behind the n-th of `_least`; `columns(row, m)` are those of a row's m flips."""
    pairs = []
    for row in range(len(gains) - 1, -1, -1):
        length = min(len(gains[row]), n + 1)
        m = int(np.argmin(least[row][n - length + 1 : n + 1][::-1] + gains[row][:length]))
        pairs += [(row, int(column)) for column in columns(row, m)]
        n -= m
    return np.array(pairs, np.int64).reshape(-1, 2)


def _relaxed(gains: list[Numbers], score: float) -> tuple[int, list[int]]:
    """Flips that are needed at least to bring a score below 0, and how many of each row are enough.

    No row's gain is below its lower convex hull, and of hulls the steepest pieces come first. Mostly the two numbers
    are equal. All gains together must be enough.

    >>> _relaxed([np.array([0.0, -1.0]), np.array([0.0, 0.0, -3.0])], 3.5)
    (3, [1, 2])
    """
    pieces = []
    for row, gain in enumerate(gains):
        hull = [0]
        for m in range(1, len(gain)):
            while len(hull) > 1 and (gain[m] - gain[hull[-1]]) * (hull[-1] - hull[-2]) <= (
                gain[hull[-1]] - gain[hull[-2]]
            ) * (m - hull[-1]):
                hull.pop()
            hull.append(m)
        pieces += [((gain[b] - gain[a]) / (b - a), row, a, b) for a, b in pairwise(hull)]
    counts = [0] * len(gains)
    for slope, row, a, b in sorted(pieces):
        left = score + gains[row][b] - gains[row][a]
        if left < 0:
            at_least = int(np.floor(score / -slope)) + 1
            enough = int(np.argmax(score + gains[row][a : b + 1] - gains[row][a] < 0))
            needed = sum(counts) + min(at_least, enough)
            counts[row] = a + enough
            return needed, counts
        score, counts[row] = left, b
    raise ValueError("all gains together are not enough")


def _none(readout: Readout, other: int, needed: int | None) -> Margin:
    """No flips found."""
    return Margin(readout.answer, other, needed, None, np.zeros((0, 2), np.int64))


def _elementwise(readout: Readout, other: int) -> Margin:
    """Exact: the score is a sum of increasing functions of rows."""
    assert readout.function is not None
    u = readout.head[readout.answer] - readout.head[other]
    logits = readout.logits(readout.value)
    score = logits[readout.answer] - logits[other]
    ways = [_best(-np.sign(weight) * row) for weight, row in zip(u, readout.moves, strict=True)]
    gains = []
    for weight, value, (rise, _) in zip(u, readout.value, ways, strict=True):
        reached = readout.function(value - np.sign(weight) * rise)
        gains.append(weight * (reached - reached[0]))
    if score + sum(gain[-1] for gain in gains) >= 0:
        return _none(readout, other, None)
    needed, counts = _relaxed(gains, score)
    if needed < sum(counts):
        least = _least(gains, sum(counts))
        needed = int(np.argmax(score + least[-1] < 0))
        flips = _flips(least, gains, needed, lambda row, m: ways[row][1][:m])
    else:
        flips = np.array(
            [(row, column) for row, m in enumerate(counts) for column in ways[row][1][:m]], np.int64
        )
    return Margin(readout.answer, other, needed, needed, flips)


def _normed(readout: Readout, other: int) -> Margin:
    r"""A number that is needed and one that is enough: the answer turns where $a \cdot v + c\,\sigma(v) < 0$."""
    assert readout.norm is not None
    gain, shift, epsilon = readout.norm
    u, v = readout.head[readout.answer] - readout.head[other], readout.value
    a = gain * u - (gain * u).mean()
    c = u @ shift + readout.bias[readout.answer] - readout.bias[other]
    centred, spread = v - v.mean(), float(np.sqrt(v.var() + epsilon))
    score = a @ v + c * spread
    up = [_best(row) for row in readout.moves]
    down = [_best(-row) for row in readout.moves]

    def bound(row: int, move: Numbers) -> Numbers:
        """Never above what a move of one row adds to the score."""
        if c >= 0:  # the spread is convex: never below its tangent
            return (a[row] + c * centred[row] / (len(v) * spread)) * move
        # its square is at most the mean square around any point, and the root of that is below its tangent
        grown = (centred[row] + move) ** 2 - centred[row] ** 2
        return a[row] * move + c * grown / (2 * spread * len(v))

    gains, rises = [], []
    for row, ((rise, _), (fall, _)) in enumerate(zip(up, down, strict=True)):
        length = max(len(rise), len(fall))
        ways = (np.pad(way, (0, length - len(way)), "edge") for way in (rise, fall))
        both = np.stack([bound(row, sign * way) for sign, way in zip((1, -1), ways, strict=True)])
        rises.append(both[0] <= both[1])
        gains.append(np.minimum.accumulate(both.min(0)))

    def columns(row: int, m: int) -> Counts:
        return (up if rises[row][m] else down)[row][1][:m]

    if score + sum(gain[-1] for gain in gains) >= 0:
        return _none(readout, other, None)
    needed = MOST[-1] + 1
    for most in MOST:
        least = _least(gains, most)
        turns = np.flatnonzero(score + least[-1] < 0)
        needed = int(turns[0]) if len(turns) else needed
        for n in turns:
            flips = _flips(least, gains, int(n), columns)
            logits = readout.logits(readout.flipped(flips))
            if logits[other] > logits[readout.answer]:
                return Margin(readout.answer, other, needed, len(flips), flips)
    return _none(readout, other, needed)
