"""Draw every registered binarizer and write the table that shows them.

    python docs/binarizers.py

One value of a row runs from left to right while the rest of the row stays; the curves are what the class itself makes
of that value, and the gradient that comes back to it. Writes docs/binarizers.md and a picture for each name in
docs/binarizers.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from binviz import binarizers
from binviz.plots.theme import BINARY, GREY

HERE = Path(__file__).parent
PICTURES = HERE / "binarizers"
#: The rest of the row: as normal numbers lie, what a ReLU leaves of them, or probabilities.
NORMAL = norm.ppf((np.arange(63) + 0.5) / 63)
AFTER_RELU = {"elastic-unsigned": np.maximum(NORMAL, 0)}
PROBABILITIES = dict.fromkeys(("bivit-attention", "row-threshold"), 0.6 / 2.0 ** np.arange(7))
POINTS, TEXT = 401, "#767676"
#: Pixels of a panel, and of what is left, above, right and below of it.
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 170, 84, 40, 20, 12, 20

HEAD = """\
# Every binarizer, drawn

One value x of a row runs over the axis while the rest of the row stays: 63 values as normal numbers lie; what a ReLU
leaves of these for `elastic-unsigned`; a few that fall from 0.6 for the two binarizers of probabilities. On the left
what becomes of x (dotted: x itself), on the right the gradient that training gets back in place of the true one, which
is zero. What is learned stands where it starts, schedules at the beginning of training. Drawn by
`python docs/binarizers.py` from the classes themselves; the formulas are in their docstrings, and the dashboard's
page Binarizers moves their scales and thresholds.

| binarizer | value and gradient |
|---|---|
"""

Curve = NDArray[np.float64]


def curves(name: str) -> tuple[Curve, Curve, Curve]:
    """Values of x, what the binarizer makes of each, and the gradient to each."""
    rest = (AFTER_RELU | PROBABILITIES).get(name, NORMAL)
    x = torch.linspace(*((0, 1) if name in PROBABILITIES else (-2, 2)), POINTS, dtype=torch.float64)
    rows = torch.cat([x[:, None], torch.from_numpy(rest).expand(POINTS, -1)], dim=1).requires_grad_()
    axis = binarizers.get(name).channel_axis
    binarizer = binarizers.get(name, features=rows.shape[axis]).eval()
    out = binarizer(rows)[:, 0]
    out.sum().backward()
    assert rows.grad is not None
    return x.numpy(), out.detach().numpy(), rows.grad[:, 0].numpy()


def panel(x: Curve, y: Curve, offset: int, title: str, *, filled: bool) -> str:
    """One curve as SVG, `offset` pixels from the left; with its area, or beside the identity."""
    low, high = min(0.0, y.min()), max(0.0, y.max())
    margin = 0.12 * (high - low or 1)
    bottom, top = low - margin * (low < 0), high + margin

    def place(values: Curve, heights: Curve) -> list[str]:
        across = offset + LEFT + WIDTH * (values - x[0]) / (x[-1] - x[0])
        down = TOP + HEIGHT * (top - heights) / (top - bottom)
        return [f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True)]

    def line(values: Curve, heights: Curve, style: str) -> str:
        return f'<polyline points="{" ".join(place(values, heights))}" {style}/>'

    def text(value: float, height: float, words: str, anchor: str, dx: int = 0, dy: int = 0) -> str:
        a, b = place(np.array([value]), np.array([height]))[0].split(",")
        return f'<text x="{float(a) + dx:.0f}" y="{float(b) + dy:.0f}" text-anchor="{anchor}">{words}</text>'

    ends = np.array([x[0], x[-1]])
    parts = [line(ends, np.zeros(2), f'stroke="{GREY}" stroke-width="1"')]
    if x[0] < 0:
        parts.append(line(np.zeros(2), np.array([bottom, top]), f'stroke="{GREY}" stroke-width="0.5"'))
    kept = corners(x, y)
    if filled:
        area = " ".join(
            [*place(ends[:1], np.zeros(1)), *place(x[kept], y[kept]), *place(ends[1:], np.zeros(1))]
        )
        parts.append(f'<polygon points="{area}" fill="{BINARY}" fill-opacity="0.18"/>')
    else:
        inside = (x >= bottom) & (x <= top)
        own = x[inside][[0, -1]]
        parts.append(line(own, own, f'stroke="{GREY}" stroke-dasharray="2 3" fill="none"'))
    parts.append(
        line(x[kept], y[kept], f'stroke="{BINARY}" stroke-width="2" stroke-linejoin="round" fill="none"')
    )
    parts += [
        text(value, bottom, f"{value:g}".replace("-", "−"), "middle", dy=14) for value in (*ends, ends.mean())
    ]
    parts += [
        text(x[0], value, f"{value:.2g}".replace("-", "−"), "end", dx=-6, dy=4)
        for value in sorted({low, 0.0, high}) if value == 0 or abs(value) > 0.14 * (high - low)
    ]  # fmt: skip
    parts.append(f'<text x="{offset + LEFT}" y="11" font-style="italic">{title}</text>')
    return "".join(parts)


def corners(x: Curve, y: Curve) -> NDArray[np.int64]:
    """The points between which a curve is straight."""
    slopes = np.diff(y) / np.diff(x)
    bends = np.flatnonzero(np.abs(np.diff(slopes)) > 1e-6 * max(np.abs(slopes).max(), 1)) + 1
    return np.concatenate([[0], bends, [len(x) - 1]])


def picture(name: str) -> str:
    """Both curves of a binarizer, as the text of an SVG file."""
    x, value, gradient = curves(name)
    panels = panel(x, value, 0, "value", filled=False)
    second = LEFT + WIDTH + RIGHT
    panels += panel(x, gradient, second, "gradient in training", filled=True)
    size = (2 * second, TOP + HEIGHT + BOTTOM)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}" font-family="sans-serif" font-size="11" fill="{TEXT}">'
        f"<title>{name}: value and gradient</title>{panels}</svg>\n"
    )


def table() -> str:
    """The page: a row for each registered binarizer, with its first sentence and its picture."""
    rows = []
    for name in binarizers.names():
        kind = type(binarizers.get(name))
        source = Path(inspect.getfile(kind)).relative_to(HERE.parent).as_posix()
        said = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        rows.append(f"| [`{name}`](../{source})<br>{said} | ![Curves of {name}](binarizers/{name}.svg) |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for registered in binarizers.names():
        (PICTURES / f"{registered}.svg").write_text(picture(registered), "utf-8")
    (HERE / "binarizers.md").write_text(table(), "utf-8")
