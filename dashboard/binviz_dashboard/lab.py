"""The binarizer lab's arithmetic: an input, a binarizer, and the small numbers its figures need.

No Streamlit here. `Lab.code` writes the same steps as Python that runs alone, for the figures' menus.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray

from binviz import binarizers, plots
from binviz.binarizers import Binarizer

ROWS, COLUMNS, GRID = 128, 128, 301
#: More is cut off: the lab shows distributions, and half a million values show them.
MAX_VALUES, MAX_COLUMNS = 2**19, 4096

#: Inputs drawn at random, as Python with `rng`, a centre c and a spread s.
DISTRIBUTIONS = {
    "normal": "rng.normal({c}, {s}, (128, 128))",
    "uniform": "rng.uniform({c} - {s}, {c} + {s}, (128, 128))",
    "Laplace": "rng.laplace({c}, {s}, (128, 128))",
    "softmax rows": "scipy.special.softmax(rng.normal({c}, {s}, (128, 128)), axis=-1)",
    "ReLU output": "np.maximum(rng.normal({c}, {s}, (128, 128)), 0)",
}


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
            scores = rng.normal(centre, spread, size)
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


class Option(NamedTuple):
    """One option of a binarizer: its default, and what it may be."""

    name: str
    default: Any
    choices: tuple[Any, ...]


def options(name: str) -> list[Option]:
    """The options of a binarizer beyond `features` and `channel_axis`.

    >>> options("bivit-attention")[0]
    Option(name='method', default='quarter', choices=('quarter', 'descent'))
    """
    cls = type(binarizers.get(name))
    hints = get_type_hints(cls.__init__)
    return [
        Option(parameter.name, parameter.default, getattr(hints.get(parameter.name), "__args__", ()))
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.name not in ("features", "channel_axis")
    ]


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
    """A binarizer by name with its options, learned values and training progress.

    options: as for `binarizers.get`. learned: values instead of those that a binarizer takes from its first
    input. progress: of training, 0 to 1.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    learned: tuple[tuple[str, float], ...] = ()
    progress: float | None = None

    @property
    def axis(self) -> int:
        """The channel axis: 0 for weights, -1 for activations."""
        return binarizers.get(self.name).channel_axis

    @property
    def has_schedule(self) -> bool:
        """Whether training progress changes this binarizer."""
        return type(binarizers.get(self.name)).set_progress is not Binarizer.set_progress

    def make(self, x: torch.Tensor) -> Binarizer:
        """The binarizer as it is after it has seen x, (rows, columns)."""
        binarizer = binarizers.get(self.name, features=x.shape[self.axis], **dict(self.options)).eval()
        if self.progress is not None:
            binarizer.set_progress(self.progress)
        with torch.no_grad():
            binarizer(x)
            for parameter, value in self.learned:
                getattr(binarizer, parameter).fill_(value)
        return binarizer


class Measured(NamedTuple):
    """What the four figures show, and what the sliders start from."""

    before: plots.Histogram
    after: plots.Histogram
    codes: dict[int, int]
    scale: plots.Sweep
    used_scale: float
    threshold: plots.Sweep | None
    used_threshold: float | None
    grid: NDArray[np.float64]
    output: NDArray[np.float64]
    slope: NDArray[np.float64]
    error: float
    learned: dict[str, float]


def measure(lab: Lab, x: NDArray[np.float32]) -> Measured:
    """Binarize x, (rows, columns), and look at it from every side.

    >>> measured = measure(Lab("bnn"), draw("normal", 0.0, 1.0, seed=0))
    >>> round(measured.used_scale, 2), round(measured.scale.best, 2), sum(measured.codes.values())
    (1.0, 0.8, 16384)
    """
    tensor = torch.from_numpy(x)
    binarizer = lab.make(tensor)
    with torch.no_grad():
        code = binarizer.encode(tensor)
        y, q, rest = (part.float().numpy() for part in (code.decode(), code.q, tensor - code.shift))
    levels, counts = np.unique(q, return_counts=True)
    span = _span(x, y)
    energy = float(np.square(x, dtype=np.float64).sum()) or 1.0
    two = len(binarizer.levels) == 2
    grid, output, slope = _curve(lab, binarizer, tensor)
    return Measured(
        before=plots.histogram(x, span=span),
        after=plots.histogram(y, span=span),
        codes=dict.fromkeys(binarizer.levels, 0)
        | {int(level): int(count) for level, count in zip(levels, counts, strict=True)},
        scale=plots.scale_sweep(rest, q),
        used_scale=float(code.scale.detach().mean()),
        threshold=plots.threshold_sweep(x, binarizer.levels) if two else None,
        used_threshold=_threshold(x, q) if two else None,
        grid=grid,
        output=output,
        slope=slope,
        error=100 * float(np.square(x - y, dtype=np.float64).sum()) / energy,
        learned={
            name: float(value.detach().mean()) for name, value in binarizer.named_parameters(recurse=False)
        },
    )


def _span(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    low, high = plots.central_span(x)
    return min(low, float(y.min())), max(high, float(y.max()))


def _threshold(x: NDArray[np.float32], q: NDArray[np.float32]) -> float | None:
    """The one threshold of the whole tensor, where there is one."""
    below, above = x[q == q.min()], x[q > q.min()]
    if not above.size or below.max() > above.min():
        return None
    return float(below.max() + above.min()) / 2


def _curve(lab: Lab, binarizer: Binarizer, x: torch.Tensor) -> tuple[NDArray, NDArray, NDArray]:
    """What becomes of one value of the first row, and its gradient, while the rest of the row stays."""
    low, high = plots.central_span(x)
    grid = torch.linspace(low, high, GRID)
    rows = x[:1].repeat(GRID, 1)
    rows[:, 0] = grid
    if lab.axis == 0:  # a learned scale of each row: as many as there are rows now
        binarizer = lab.make(rows)
    rows.requires_grad_()
    code = binarizer.encode(rows)
    (code.q * code.scale.detach() + code.shift.detach())[:, 0].sum().backward()
    return tuple(part.detach().double().numpy() for part in (grid, code.decode()[:, 0], rows.grad[:, 0]))  # type: ignore[return-value]


_FIGURES = {
    "curves": """\
# One value of the first row runs over the grid, the rest of the row stays.
grid = torch.linspace(*plots.central_span(x), 301)
rows = x[:1].repeat(301, 1)
rows[:, 0] = grid
{remake}rows.requires_grad_()
code = binarizer.encode(rows)
(code.q * code.scale.detach() + code.shift.detach())[:, 0].sum().backward()
output, slope = code.decode()[:, 0].detach(), rows.grad[:, 0]
figure = plots.curves(grid, {{"{name}": output}}, {{"{name}": slope}})
""",
    "histogram": """\
y = code.decode().detach()
low, high = plots.central_span(x)
span = (min(low, float(y.min())), max(high, float(y.max())))
codes = {{level: int((code.q == level).sum()) for level in binarizer.levels}}
figure = plots.before_after(plots.histogram(x, span=span), plots.histogram(y, span=span), codes)
""",
    "scale": """\
sweep = plots.scale_sweep(x - code.shift, code.q)
figure = plots.error_curve(sweep, of="scale", used=float(code.scale.detach().mean()))
""",
    "threshold": """\
sweep = plots.threshold_sweep(x, binarizer.levels)
figure = plots.error_curve(sweep, of="threshold", used={used})
""",
}


def source_code(lab: Lab, source: str, figure: str, used: float | None = None) -> str:
    """Python that draws one of the lab's figures from nothing.

    Args:
        lab: the binarizer.
        source: lines that make the tensor x, (rows, columns), from torch, numpy as np and `rng`.
        figure: "curves", "histogram", "scale" or "threshold".
        used: the threshold to mark.
    """
    given = "".join(f", {key}={value!r}" for key, value in lab.options)
    made = [f"binarizer = binarizers.get({lab.name!r}, features={{tensor}}.shape[{lab.axis}]{given}).eval()"]
    if lab.progress is not None:
        made += [f"binarizer.set_progress({lab.progress})"]
    made += [
        "with torch.no_grad():",
        "    binarizer({tensor})  # what is learned starts from the first input",
    ]
    made += [f"    binarizer.{parameter}.fill_({value})" for parameter, value in lab.learned]
    make = "\n".join(made) + "\n"
    remake = make.format(tensor="rows") if lab.axis == 0 else ""
    encode = "" if figure == "curves" else "    code = binarizer.encode(x)\n"
    draw = _FIGURES[figure].format(name=lab.name, remake=remake, used=used)
    imports = ["numpy as np"] * ("np." in source) + ["scipy"] * ("scipy." in source) + ["torch"]
    head = "".join(f"import {module}\n" for module in imports) + "\nfrom binviz import binarizers, plots\n"
    return f"{head}\n{source}{make.format(tensor='x')}{encode}{draw}"


def source_of_distribution(name: str, centre: float, spread: float, seed: int) -> str:
    """The lines that draw what `draw` draws."""
    expression = DISTRIBUTIONS[name].format(c=centre, s=spread)
    return f"rng = np.random.default_rng({seed})\nx = torch.from_numpy({expression}).float()\n"
