"""Small pictures of curves, as the text of SVG: for tables and cards, where a figure would be too much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binviz.plots.theme import BINARY, GREY

#: Can be read on light and on dark.
TEXT = "#767676"
#: Pixels of a panel, and of what is left, above, right and below of it.
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 170, 84, 40, 20, 12, 20

Values = NDArray[np.float64]


def panel(x: Values, y: Values, offset: int, title: str, *, filled: bool) -> str:
    """One curve as SVG, `offset` pixels from the left; with its area, or beside the identity."""
    low, high = min(0.0, y.min()), max(0.0, y.max())
    margin = 0.12 * (high - low or 1)
    bottom, top = low - margin * (low < 0), high + margin

    def place(values: Values, heights: Values) -> list[str]:
        across = offset + LEFT + WIDTH * (values - x[0]) / (x[-1] - x[0])
        down = TOP + HEIGHT * (top - heights) / (top - bottom)
        return [f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True)]

    def line(values: Values, heights: Values, style: str) -> str:
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


def corners(x: Values, y: Values) -> NDArray[np.int64]:
    """The points between which a curve is straight."""
    slopes = np.diff(y) / np.diff(x)
    bends = np.flatnonzero(np.abs(np.diff(slopes)) > 1e-6 * max(np.abs(slopes).max(), 1)) + 1
    return np.concatenate([[0], bends, [len(x) - 1]])


def thumbnail(title: str, x: Values, value: Values, gradient: Values) -> str:
    """What becomes of a number beside the gradient that it gets, as the text of an SVG file.

    Args:
        title: of the picture.
        x: values of the number, rising (n,).
        value, gradient: (n,).

    >>> x = np.linspace(-2, 2, 5)
    >>> thumbnail("sign", x, np.sign(x), (abs(x) <= 1) * 1.0)[:25]
    '<svg xmlns="http://www.w3'
    """
    panels = panel(x, value, 0, "value", filled=False)
    second = LEFT + WIDTH + RIGHT
    panels += panel(x, gradient, second, "gradient in training", filled=True)
    size = (2 * second, TOP + HEIGHT + BOTTOM)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}" font-family="sans-serif" font-size="11" fill="{TEXT}">'
        f"<title>{title}: value and gradient</title>{panels}</svg>\n"
    )
