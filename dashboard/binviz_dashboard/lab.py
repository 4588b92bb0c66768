"""The binarizer lab's arithmetic: an input, a binarizer, and the small numbers its figures need.

No Streamlit here. `lab_code` writes the same steps as Python that runs alone, for the figures' menus.

>>> chosen, x = Lab("elastic-signed"), draw("normal", 0.0, 1.0, seed=0)
>>> start, learnt = measure(chosen, x), measure(Lab("elastic-signed", learnt=True), x)
>>> round(start.error), round(learnt.error), learnt.error == learnt.scale.used_error
(100, 36, True)
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from binviz import binarizers, plots
from binviz.binarizers import Binarizer, Code, Described
from binviz.binarizers.least import Scaled

ROWS, COLUMNS, GRID = 128, 128, 301
#: More is cut off: the lab shows distributions, and half a million values show them.
MAX_VALUES, MAX_COLUMNS = 2**19, 4096

#: Inputs drawn at random, as Python with `rng`, a centre c and a spread s.
DISTRIBUTIONS = {
    "normal": "rng.normal({c}, {s}, (128, 128))",
    "uniform": "rng.uniform({c} - {s}, {c} + {s}, (128, 128))",
    "Laplace": "rng.laplace({c}, {s}, (128, 128))",
    "softmax rows": "scipy.special.softmax(rng.normal(0, {s}, (128, 128)), axis=-1)",
    "ReLU output": "np.maximum(rng.normal({c}, {s}, (128, 128)), 0)",
}
#: Those that have a centre: a softmax takes no notice of one.
CENTRED = tuple(name for name, expression in DISTRIBUTIONS.items() if "{c}" in expression)
WEIGHTS, ACTIVATIONS, FILE = "weights of a model", "activations of a model", "a file of your own"

#: Card -> what its binarizers take, in the words of `Binarizer.takes`; and the input that each is made for.
KINDS = {
    "weight": ("weight",),
    "activation": ("activation", "nonneg_activation", "input"),
    "attention": ("probs", "scores"),
}
NATURAL = {
    "weight": WEIGHTS,
    "activation": "normal",
    "nonneg_activation": "ReLU output",
    "probs": "softmax rows",
    "scores": "normal",
    "input": "uniform",
}


def kinds() -> dict[str, list[str]]:
    """Card -> the binarizers on it; some are on two, one that nobody chooses is on none.

    >>> kinds()["attention"]
    ['bibert-attention', 'bivit-attention', 'bivit-attention-scores', 'elastic-unsigned', 'row-threshold']
    """
    takes = {name: set(binarizers.get(name).takes) for name in binarizers.names()}
    return {kind: [name for name in takes if takes[name] & set(words)] for kind, words in KINDS.items()}


def natural_input(name: str, kind: str = "") -> str:
    """The input that a binarizer is made for, as one of the cards shows it.

    >>> natural_input("bnn"), natural_input("elastic-unsigned"), natural_input("elastic-unsigned", "attention")
    ('normal', 'ReLU output', 'softmax rows')
    """
    takes = binarizers.get(name).takes
    return NATURAL[next(iter([word for word in takes if word in KINDS.get(kind, takes)] or takes), "weight")]


def draw(name: str, centre: float, spread: float, seed: int) -> NDArray[np.float32]:
    """128 rows of 128 values of one of the `DISTRIBUTIONS`.

    >>> bool(draw("ReLU output", 0.0, 1.0, seed=0).min() == 0)
    True
    """
    rng, size = np.random.default_rng(seed), (ROWS, COLUMNS)
    match name:
        case "uniform":
            x = rng.uniform(centre - spread, centre + spread, size)
        case "Laplace":
            x = rng.laplace(centre, spread, size)
        case "softmax rows":
            scores = rng.normal(0, spread, size)
            powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
            x = powers / powers.sum(axis=-1, keepdims=True)
        case "ReLU output":
            x = np.maximum(rng.normal(centre, spread, size), 0)
        case _:
            x = rng.normal(centre, spread, size)
    return x.astype(np.float32)


def as_rows(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Any array as (rows, columns) of bounded size; one long row is folded into several.

    >>> as_rows(np.zeros((2, 3, 5), np.float32)).shape, as_rows(np.zeros(10_000, np.float32)).shape
    ((6, 5), (2, 4096))
    """
    if x.ndim == 1 and x.size > MAX_COLUMNS:
        x = x[: x.size // MAX_COLUMNS * MAX_COLUMNS].reshape(-1, MAX_COLUMNS)
    rows = x.reshape(-1, x.shape[-1])[:, :MAX_COLUMNS]
    return np.ascontiguousarray(rows[: max(1, MAX_VALUES // rows.shape[1])])


def options(name: str, given: Mapping[str, Any] | None = None) -> list[Described]:
    """The options of a binarizer that change something to be seen here, in an order to ask for them.

    Args:
        name: of the binarizer.
        given: values of some options; the others have their defaults.

    >>> [option.name for option in options("bivit-attention")]
    ['method', 'beta', 'scale']
    >>> [option.name for option in options("bivit-attention", {"method": "descent"})]
    ['method', 'steps', 'scale']
    """
    known = binarizers.described(type(binarizers.get(name)))
    values = {option.name: option.default for option in known.values()} | dict(given or {})
    return [option for option in known.values() if option.counts(values) and not option.declared.in_training]


class About(NamedTuple):
    """What a binarizer's docstring says first: a line, its formulas, what the paper is."""

    summary: str
    formulas: list[str]
    paper: str


def about(name: str) -> About:
    """The first line, the formulas and the source of a binarizer.

    >>> about("bnn").summary
    'Sign of weights or activations, no scale.'
    """
    cls = type(binarizers.get(name))
    text, module = inspect.getdoc(cls) or "", inspect.getdoc(inspect.getmodule(cls)) or ""
    formulas = re.findall(r"\$\$(.+?)\$\$", text, flags=re.DOTALL)
    paragraphs = module.split("\n\n")
    return About(text.split("\n\n")[0], formulas, " ".join(paragraphs[min(1, len(paragraphs) - 1)].split()))


@dataclass(frozen=True)
class Lab:
    """A binarizer by name with its options, where what it learns stands, and training progress.

    options: as for `binarizers.get`. learnt: what it learns has the least error for the input, see
    `binarizers.least_error`; else it stands where training starts. by_hand: (parameter, move), from there: a factor of
    a learned scale, something added to a learned shift, see `handles`. progress: of training, 0 to 1.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    by_hand: tuple[tuple[str, float], ...] = ()
    progress: float | None = None
    learnt: bool = False

    @property
    def axis(self) -> int:
        """The channel axis: 0 for weights, -1 for activations."""
        return binarizers.get(self.name).channel_axis

    @property
    def has_schedule(self) -> bool:
        """Whether training progress changes this binarizer."""
        return type(binarizers.get(self.name)).set_progress is not Binarizer.set_progress

    @property
    def learns(self) -> str:
        """What differs after learning: its "scale", a "factor" behind it where it has none, or "" for nothing.

        >>> Lab("elastic-signed").learns, Lab("bnn").learns, Lab("xnor-weight").learns
        ('scale', 'factor', '')
        """
        binarizer = binarizers.get(self.name, **dict(self.options))
        return "scale" if binarizer.scales else "factor" if binarizer.scale_kind == "none" else ""

    @property
    def of_whole_tensor(self) -> bool:
        """Whether all values of a weight have a say in what becomes of one, and not its row alone."""
        return self.axis == 0 and binarizers.get(self.name, **dict(self.options)).scale_kind == "static"

    def make(self, x: torch.Tensor) -> Binarizer:
        """The binarizer as it is after it has seen x, (rows, columns)."""
        binarizer = binarizers.get(self.name, features=x.shape[self.axis], **dict(self.options)).eval()
        if self.progress is not None:
            binarizer.set_progress(self.progress)
        with torch.no_grad():
            binarizer(x)
            if self.learnt:
                binarizer = binarizers.least_error(binarizer, x)
            own = _own(binarizer)
            for name, move in self.by_hand:
                value = own.get_parameter(name)
                value.mul_(move) if name in own.scales else value.add_(move)
        return binarizer


def _own(binarizer: Binarizer) -> Binarizer:
    """The binarizer itself where there is a factor behind it."""
    return binarizer.inner if isinstance(binarizer, Scaled) else binarizer


class Handle(NamedTuple):
    """A learned value that can be moved by hand: from `low` to `high`; at `start` nothing changes."""

    name: str
    label: str
    low: float
    high: float
    start: float


def handles(chosen: Lab, x: NDArray[np.float32]) -> list[Handle]:
    """What can be moved by hand: scales by a factor, shifts by an addition of at most three deviations of x.

    >>> [handle.label for handle in handles(Lab("elastic-signed", (("learn_shift", True),)), np.ones((2, 2)))]
    ['alpha, times its own', 'beta, added to x']
    """
    binarizer = binarizers.get(chosen.name, **dict(chosen.options))
    reach = float(f"{3 * float(np.std(x)) or 1.0:.1g}")
    shifts = [name for name in binarizer.shifts if getattr(binarizer, name) is not None]
    return [Handle(name, f"{name}, times its own", 0.05, 4.0, 1.0) for name in binarizer.scales] + [
        Handle(name, f"{name}, added to x", -reach, reach, 0.0) for name in shifts
    ]


class Measured(NamedTuple):
    """What the lab shows of a binarizer and an input; `error` is what every mark and sentence says.

    error: in % of the input's energy. codes: level -> how many values have it. scale: error against a factor of its
    own scale. threshold: error against its threshold, None where it has not one; threshold_of: of what, in words.
    grid, output, slope: one value of the first row, what becomes of it, and its gradient. learned: name -> least and
    most of what it learns.
    """

    error: float
    before: plots.Histogram
    after: plots.Histogram
    codes: dict[int, int]
    scale: plots.Sweep
    threshold: plots.Sweep | None
    threshold_of: tuple[str, str]
    grid: NDArray[np.float64]
    output: NDArray[np.float64]
    slope: NDArray[np.float64]
    learned: dict[str, tuple[float, float]]


def measure(chosen: Lab, x: NDArray[np.float32]) -> Measured:
    """Binarize x, (rows, columns), and look at it from every side.

    >>> measured = measure(Lab("bnn"), draw("normal", 0.0, 1.0, seed=0))
    >>> round(measured.scale.best, 2), sum(measured.codes.values()), measured.threshold.used
    (0.8, 16384, 0.0)
    """
    tensor = torch.from_numpy(x)
    binarizer = chosen.make(tensor)
    with torch.no_grad():
        bases = binarizer.bases(tensor)
        scaled = sum((code.q.double() * code.scale.double() for code in bases), torch.zeros(()))
        shift = sum((code.shift.double() for code in bases), torch.zeros(()))
        y = (scaled + shift).numpy()
        sweep = plots.scale_sweep(tensor, scaled, shift)
        error = float(sweep.used_error or 0.0)
        threshold, of = (
            _threshold(binarizer, bases[0], tensor, error) if len(bases) == 1 else (None, ("", ""))
        )
    stored = [code.q for code in bases[: binarizer.bit_count]]
    levels, counts = np.unique(np.concatenate(stored), return_counts=True)
    low, high = plots.central_span(x)
    span = (min(low, float(y.min())), max(high, float(y.max())))
    grid, output, slope = _curve(chosen, binarizer, tensor)
    return Measured(
        error=error,
        before=plots.histogram(x, span=span),
        after=plots.histogram(y, span=span),
        codes=dict.fromkeys(binarizer.levels, 0)
        | {int(level): int(count) for level, count in zip(levels, counts, strict=True)},
        scale=sweep,
        threshold=threshold,
        threshold_of=of,
        grid=grid,
        output=output,
        slope=slope,
        learned=_learned(binarizer),
    )


def _learned(binarizer: Binarizer) -> dict[str, tuple[float, float]]:
    own = _own(binarizer)
    values = {name: getattr(own, name) for name in (*own.scales, *own.shifts)}
    found = {name: (v.min().item(), v.max().item()) for name, v in values.items() if v is not None}
    if isinstance(binarizer, Scaled):
        found["factor behind it"] = (binarizer.factor, binarizer.factor)
    return found


def _threshold(
    binarizer: Binarizer, code: Code, x: torch.Tensor, error: float
) -> tuple[plots.Sweep | None, tuple[str, str]]:
    """Error against the one threshold, and its name and unit, in the sign of the binarizer's formula."""
    cut = binarizer.cut(x)
    if cut is None:
        return None, ("", "")
    low, high = (code.scale * level + code.shift for level in binarizer.levels)
    sweep = plots.threshold_sweep(x, low, high, cut.position, used=cut.at)._replace(used_error=error)
    own = _own(binarizer)
    shift = own.learned_shift
    if shift is None or cut.at or (shift != shift[0]).any():
        return sweep, ("threshold", cut.of)
    name = next(name for name in own.shifts if getattr(own, name) is shift)
    return sweep.as_added(float(shift[0])), (name, "added to x")


def _curve(chosen: Lab, binarizer: Binarizer, x: torch.Tensor) -> tuple[NDArray, NDArray, NDArray]:
    """What becomes of one value of the first row, and its gradient, while everything else stays."""
    grid = torch.linspace(*plots.central_span(x), GRID)
    if chosen.of_whole_tensor:
        other = x.clone()
        points = []
        for value in grid:
            other[0, 0] = value
            points.append(torch.cat(_first_column(binarizer, other, rows=1)))
        output, slope = torch.stack(points).T
    else:
        rows = x[:1].repeat(GRID, 1)
        rows[:, 0] = grid
        if chosen.axis == 0:  # a learned scale of each row: as many as there are rows now
            binarizer = chosen.make(rows)
        output, slope = _first_column(binarizer, rows, rows=GRID)
    return tuple(part.double().numpy() for part in (grid, output, slope))  # type: ignore[return-value]


def _first_column(binarizer: Binarizer, x: torch.Tensor, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What becomes of the first value of the first rows, and the gradient that its code sends back to it."""
    leaf = x.detach().requires_grad_()
    y = sum(
        (code.q * code.scale.detach() + code.shift.detach() for code in binarizer.bases(leaf)),
        torch.zeros(()),
    )
    (slope,) = torch.autograd.grad(y[:rows, 0].sum(), leaf)
    return y[:rows, 0].detach(), slope[:rows, 0]


def explain(chosen: Lab, measured: Measured) -> str:
    """Why the error is what it is, in a sentence or two for whoever sees it first."""
    error, sweep = measured.error, measured.scale
    said = f"Its error is {_percent(error)} of the input's energy"
    if abs(error - 100) < 0.5:
        said += ", as wrong as answering zero"
    elif error > 100:
        said += ", more wrong than answering zero"
    said += "."
    if "scores" in binarizers.get(chosen.name).takes:
        return f"{said} It takes the softmax's place, so its codes are not meant to equal the scores."
    off = not 0.9 < sweep.best < 1.1
    if chosen.learns == "factor" and not chosen.learnt and off:
        said += (
            f" It has no scale; one factor behind it, {sweep.best:.3g}, makes the error "
            f"{_percent(sweep.best_error)}, and a norm or a learned factor that follows can take that up."
        )
    elif chosen.learns == "scale" and off and sweep.best > 0:
        where = (
            "By hand its scale is"
            if chosen.by_hand
            else "Its scale is"
            if chosen.learnt
            else "Its scale starts at"
        )
        said += f" {where} {1 / sweep.best:.3g} times the best for these codes, which has {_percent(sweep.best_error)}."
    return said


def _percent(number: float) -> str:
    return f"{number:,.0f} %" if number >= 1000 else f"{number:.3g} %"


class Comparison(NamedTuple):
    """Binarizers on the same input: curves over one grid, and a row of a table for each."""

    grid: NDArray[np.float64]
    outputs: dict[str, NDArray[np.float64]]
    slopes: dict[str, NDArray[np.float64]]
    rows: list[dict[str, Any]]


_SCALES = {
    "none": "none",
    "static": "one for all",
    "per_row": "one for each row",
    "per_channel": "one for each channel",
}


def compare(chosen: Sequence[Lab], measured: Sequence[Measured]) -> Comparison:
    """Binarizers beside one another.

    Args:
        chosen: two or more.
        measured: what `measure` gave for each, all for the same input.

    >>> chosen, x = (Lab("bnn"), Lab("xnor-activation")), draw("normal", 0.0, 1.0, seed=0)
    >>> rows = compare(chosen, [measure(each, x) for each in chosen]).rows
    >>> [(row["binarizer"], row["scale"], round(row["error (%)"])) for row in rows]
    [('bnn', 'none', 40), ('xnor-activation', 'one for each row', 36)]
    """
    names = _distinct(each.name for each in chosen)
    by_name = dict(zip(names, measured, strict=True))
    return Comparison(
        measured[0].grid,
        {name: found.output for name, found in by_name.items()},
        {name: found.slope for name, found in by_name.items()},
        [_row(name, each, by_name[name]) for name, each in zip(names, chosen, strict=True)],
    )


def _row(name: str, chosen: Lab, found: Measured) -> dict[str, Any]:
    binarizer = binarizers.get(chosen.name, **dict(chosen.options))
    sign = "+d" if min(found.codes) < 0 else "d"
    at = "" if found.threshold is None else f"{found.threshold.used:.3g} ({found.threshold_of[1]})"
    return {
        "binarizer": name,
        "codes": ", ".join(f"{level:{sign}}" if level else "0" for level in found.codes),
        "scale": _SCALES[binarizer.scale_kind] + (", learned" if binarizer.scales else ""),
        "threshold": at,
        "error (%)": found.error,
        "least with one factor (%)": found.scale.best_error,
    }


def _distinct(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name} ({found.count(name) + 1})")
    return found
