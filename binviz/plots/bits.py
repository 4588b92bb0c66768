"""Figures of a dot product of bits: number by number, and word by word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, clickable, describe, sized
from binviz.plots.theme import ADDED, GREY, ONE, SUBTRACTED, ZERO

#: What a cell is -> its colour. Dark and light stand for the two codes, as in the maps of attention.
_NUMBER, _ZERO, _ONE, _ADDED, _SUBTRACTED = range(5)
_COLOURS = ["#cfcfcf", ZERO, ONE, ADDED, SUBTRACTED]
_SCALE = [[(index + side) / 5, colour] for index, colour in enumerate(_COLOURS) for side in (0, 1)]
_CELLS = {"colorscale": _SCALE, "zmin": -0.5, "zmax": 4.5, "showscale": False}


@builder
def bit_product(
    activations: Sequence[float],
    weights: Sequence[float],
    activation_bits: Sequence[int],
    weight_bits: Sequence[int],
    signed: bool = True,
) -> go.Figure:
    """A dot product step by step: numbers, codes, bits, and which places add and which subtract.

    A click on a bit gives its list, "a" or "w", and its place.

    Args:
        activations: n numbers.
        weights: n numbers.
        activation_bits: their bits, 0 or 1.
        weight_bits: the same; a 0 stands for -1.
        signed: whether a 0 among the activation's bits stands for -1 (XOR) or for 0 (AND).

    >>> figure = bit_product([0.5, -2.0, 1.0], [0.1, 0.3, -0.2], [1, 0, 1], [1, 1, 0])
    >>> figure.layout.meta["alt"].split(". ")[1]
    '1 places agree and 2 differ: the dot product is -1.'
    """
    a, w = np.asarray(activation_bits, dtype=int), np.asarray(weight_bits, dtype=int)
    n, low = len(a), -1 if signed else 0
    rows = [
        ("a", *_numbers(activations)),
        ("w", *_numbers(weights)),
        ("code of a", a + _ZERO, [f"{code:+d}" if code else "0" for code in np.where(a, 1, low)]),
        ("code of w", w + _ZERO, [f"{code:+d}" for code in np.where(w, 1, -1)]),
        ("bits of a", a + _ZERO, list(map(str, a))),
        ("bits of w", w + _ZERO, list(map(str, w))),
    ]
    effect = _effect(a, w, signed)
    if signed:
        rows += [
            ("a XNOR w", effect, list(map(str, 1 - (a ^ w)))),
            ("a XOR w", effect, list(map(str, a ^ w))),
        ]
        differing = int((a ^ w).sum())
        said = f"{n - differing} places agree and {differing} differ: the dot product is {n - 2 * differing}"
    else:
        rows += [("a AND w", effect, list(map(str, a & w)))]
        added, ones = int((a & w).sum()), int(a.sum())
        said = f"{added} ones of a meet +1 and {ones - added} meet -1: the dot product is {2 * added - ones}"
    # A gap after each pair of rows: the steps
    places = [index + 0.45 * (index // 2) for index in range(len(rows))]
    figure = go.Figure()
    for place, (name, cells, text) in zip(places, rows, strict=True):
        figure.add_heatmap(
            x=list(range(n)),
            y=[place],
            dy=1,
            z=[np.asarray(cells)],
            text=[text],
            name=name,
            texttemplate="%{text}",
            hovertemplate=f"{name}, place %{{x}}: %{{text}}<extra></extra>",
            xgap=2,
            ygap=2,
            **_CELLS,
        )
        if name.startswith(("bits", "a X", "a A")):
            word = sum(int(bit) << place for place, bit in enumerate(map(int, text)))
            figure.add_annotation(
                x=1.01,
                xref="paper",
                y=place,
                text=f"= 0x{word:0{-(-n // 4)}X}, ones: {word.bit_count()}",
                showarrow=False,
                xanchor="left",
            )
    figure.add_trace(
        clickable(
            [*range(n)] * 2,
            [places[row] for row in (4, 5) for _ in range(n)],
            [[of, place] for of in "aw" for place in range(n)],
            [f"bit {place} of {of}: click to turn it" for of in "aw" for place in range(n)],
        )
    )
    figure.update_xaxes(
        title="place (bit of its word, which is read from the right)",
        tickvals=list(range(n)),
        range=[-0.5, n - 0.5],
        showgrid=False,
    )
    figure.update_yaxes(
        tickvals=places,
        ticktext=[name for name, *_ in rows],
        range=[places[-1] + 0.55, -0.55],
        showgrid=False,
        zeroline=False,
    )
    figure.update_xaxes(zeroline=False)
    sized(figure, 90 + 42 * len(rows), left=88, right=124, top=10)
    return describe(figure, alt=f"A dot product of {n} places, from numbers to bits. {said}.")


def _effect(a: NDArray[np.int64], w: NDArray[np.int64], signed: bool) -> NDArray[np.int64]:
    """Whether a place adds to the dot product, subtracts from it, or does neither."""
    if signed:
        return np.where(a == w, _ADDED, _SUBTRACTED)
    return np.select([a == 0, w == 1], [_NUMBER, _ADDED], _SUBTRACTED)


def _numbers(values: Sequence[float]) -> tuple[NDArray[np.int64], list[str]]:
    return np.full(len(values), _NUMBER), [f"{value:.3g}" for value in values]


@builder
def bit_words(
    activation_bits: Sequence[int],
    weight_bits: Sequence[int],
    signed: bool = True,
    word: int = 64,
) -> go.Figure:
    """Two rows of bits as machine words, and what XOR or AND makes of them, with the ones of each word counted.

    Args:
        activation_bits: K bits.
        weight_bits: K bits; a 0 stands for -1.
        signed: whether a 0 among the activation's bits stands for -1 (XOR) or for 0 (AND).
        word: bits of a word; the last one need not be full.

    >>> bit_words([1, 0, 1, 1], [1, 1, 1, 0], word=2).layout.meta["alt"]
    '4 bits in 2 words: 2 of them differ, so the dot product is 0.'
    """
    a, w = np.asarray(activation_bits, dtype=int), np.asarray(weight_bits, dtype=int)
    name = "XOR" if signed else "AND"
    result = a ^ w if signed else a & w
    panels = [
        ("activation", a + _ZERO, a),
        ("weight row", w + _ZERO, w),
        (f"{name}: light +1, dark −1", _effect(a, w, signed), result),
    ]
    height = -(-len(a) // word)
    cell = 15 if height <= 12 else 10
    grid = max(24, cell * height)
    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=min(0.12, 26 / (3 * grid + 52)),
        subplot_titles=[title for title, *_ in panels],
    )
    figure.update_annotations(x=0, xanchor="left")
    for row, (_, cells, bits) in enumerate(panels, start=1):
        words, counted = _folded(cells, word), _folded(bits, word)
        figure.add_heatmap(
            z=words,
            customdata=counted,
            hovertemplate="word %{y}, bit %{x}: %{customdata}<extra></extra>",
            xgap=1,
            ygap=1,
            row=row,
            col=1,
            **_CELLS,
        )
        ones = [sum(bit or 0 for bit in bits_of_word) for bits_of_word in counted]
        figure.add_scatter(
            x=[word + 1] * height,
            y=list(range(height)),
            text=list(map(str, ones)),
            mode="text",
            textposition="middle right",
            textfont={"size": cell - 2},
            hoverinfo="skip",
            cliponaxis=False,
            showlegend=False,
            row=row,
            col=1,
        )
        figure.add_annotation(
            x=1, y=1, xref=f"x{row if row > 1 else ''} domain", yref=f"y{row if row > 1 else ''} domain",
            text=f"ones: {sum(ones)}", showarrow=False, xanchor="right", yanchor="bottom",
        )  # fmt: skip
    figure.update_xaxes(
        range=[-0.5, word + 4], showgrid=False, zeroline=False, tickvals=[*range(0, word, 8), word - 1]
    )
    figure.update_xaxes(title="bit (place in the word, read from the right)", row=3, col=1)
    figure.update_yaxes(range=[height - 0.5, -0.5], showgrid=False, zeroline=False, dtick=max(1, height // 6))
    figure.update_yaxes(
        showline=True, linecolor=GREY
    )  # light cells end on a white page, dark ones on a dark one
    figure.update_xaxes(showline=True, linecolor=GREY, mirror=True)
    figure.update_yaxes(title="word (number)", row=2, col=1)
    sized(figure, 170 + 3 * grid, top=34)
    count, ones_of_a = int(result.sum()), int(a.sum())
    dot = len(a) - 2 * count if signed else 2 * count - ones_of_a
    said = (
        f"{count} of them differ" if signed else f"{ones_of_a} activations are 1, {count} of them meet a +1"
    )
    return describe(figure, alt=f"{len(a)} bits in {height} words: {said}, so the dot product is {dot}.")


def _folded(values: NDArray[np.int64], word: int) -> list[list[int | None]]:
    """A row cut into words; None where the last one is not full."""
    padded = [*values.tolist(), *[None] * (-len(values) % word)]
    return [padded[start : start + word] for start in range(0, len(padded), word)]
