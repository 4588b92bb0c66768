"""Attention over the patches of a picture, and how many ones a row gets for how spread it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from binviz.plots.attention import add_maps, frames
from binviz.plots.figure import builder, clickable, describe, sized
from binviz.plots.theme import BINARY, GREY, SIZE, pale

#: Of a map that lies on a picture.
OPACITY = 0.6


def coloured(picture: ArrayLike) -> NDArray[np.uint8]:
    """(H, W, 3) of a picture as one sees it, grey or in colour.

    >>> coloured(np.zeros((8, 6), np.uint8)).shape
    (8, 6, 3)
    """
    levels = np.asarray(picture, dtype=np.uint8)
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=-1)


@builder
def patch_attention(
    picture: Sequence[Sequence[Any]],
    query: tuple[int, int] | None,
    teacher: Sequence[Sequence[float]],
    before: Sequence[Sequence[float]],
    codes: Sequence[Sequence[int]],
    class_token: tuple[float, float, int] | None = None,
) -> go.Figure:
    """One query's attention laid over a picture: the teacher's, the 1-bit network's, its codes. A click gives a patch.

    Args:
        picture: (height, width) grey or (height, width, 3), 0 black and 255 white.
        query: row and column of the query's patch; None for the class token.
        teacher: (rows, columns) of the patches, probabilities of the float model.
        before: (rows, columns), of the 1-bit model, before its binarizer.
        codes: (rows, columns), behind it.
        class_token: the same three of the class token, which lies on no patch.

    >>> figure = patch_attention(255 * np.eye(4), (0, 1), [[0.25, 0.75]], [[0.5, 0.5]], [[0, 1]])
    >>> figure.layout.meta["alt"].split(". ")[1]
    'Teacher: the largest probability is 0.75'
    """
    seen, bits = coloured(picture), np.asarray(codes, dtype=np.int8)
    weights = [np.asarray(part, dtype=np.float32).round(4) for part in (teacher, before)]
    high, wide = seen.shape[0] / bits.shape[0], seen.shape[1] / bits.shape[1]
    titles = [
        "picture<br>click a patch",
        "teacher<br>probability",
        "1-bit, before<br>probability",
        "1-bit, after<br>code",
    ]
    if class_token is not None:
        for i, value in enumerate(class_token, start=1):
            titles[i] = f"{titles[i].partition('<br>')[0]}<br>class token {value:.2g}"
    figure = make_subplots(rows=1, cols=4, subplot_titles=titles, horizontal_spacing=0.05)
    figure.update_annotations(font_size=SIZE)
    for panel in (1, 2, 3, 4):
        figure.add_trace(go.Image(z=seen, hoverinfo="skip"), row=1, col=panel)
    y0, x0 = (np.arange(n) * step + (step - 1) / 2 for n, step in zip(bits.shape, (high, wide), strict=True))
    grid = {"x": x0, "y": y0, "xgap": 2, "ygap": 2, "opacity": OPACITY}
    add_maps(figure, weights, bits, "", 2, grid)
    patches = [(row, column) for row in range(bits.shape[0]) for column in range(bits.shape[1])]
    figure.add_trace(
        clickable(
            [x0[column] for _, column in patches],
            [y0[row] for row, _ in patches],
            patches,
            [f"the patch in row {row}, column {column}" for row, column in patches],
            size=20,
        ),
        row=1,
        col=1,
    )
    if query is not None:
        row, column = query
        for panel in (1, 2, 3, 4):
            figure.add_shape(
                type="rect",
                x0=column * wide - 0.5,
                x1=(column + 1) * wide - 0.5,
                y0=row * high - 0.5,
                y1=(row + 1) * high - 0.5,
                line={"color": BINARY, "width": 3},
                row=1,
                col=panel,
            )
    figure.update_xaxes(title="column (pixel)", constrain="domain", range=[-0.5, seen.shape[1] - 0.5])
    figure.update_yaxes(range=[seen.shape[0] - 0.5, -0.5], constrain="domain", constraintoward="top")
    figure.update_yaxes(title="row (pixel)", row=1, col=1)
    for number in ("", "2", "3", "4"):
        figure.update_layout({f"yaxis{number}": {"scaleanchor": f"x{number}"}})
    frames(figure)
    sized(figure, 340, top=56, right=90)
    who = "the class token" if query is None else f"the patch in row {query[0]}, column {query[1]}"
    ones = f"{int((bits > 0).sum())} of {bits.size} patches have a one."
    if class_token is not None:
        ones += " On the class token: {:.2f}, {:.2f} and code {}.".format(*class_token)
    return describe(
        figure,
        alt=f"Where {who} looks. Teacher: the largest probability is {weights[0].max():.2f}. 1-bit, before its "
        f"binarizer: {weights[1].max():.2f}. After it: {ones}",
    )


@builder
def ones_entropy(
    entropy: Mapping[str, Sequence[float]],
    ones: Mapping[str, Sequence[int]],
    keys: int,
    chosen: str = "",
    queries: Sequence[str] = (),
) -> go.Figure:
    r"""How many ones each row of attention gets, against the entropy of its probabilities, $-\sum_j p_j \log_2 p_j$.

    On the line a row of entropy h gets 2^h ones: as many as there are keys in a row of that entropy whose probability
    is spread evenly. A click gives the name of a query.

    Args:
        entropy: name of a head -> that of each of its rows, in bits.
        ones: the same names -> how many each row has.
        keys: how many a row could have.
        chosen: the head in full colour; the others are pale.
        queries: names of the rows.

    >>> figure = ones_entropy({"0": [0.0, 2.0]}, {"0": [1, 3]}, 4, "0", ["a", "b"])
    >>> figure.layout.meta["alt"]
    'Ones of 2 rows of attention against their entropy. Rows of 0 to 2 bits get 1 to 3 ones of 4 keys.'
    """
    figure = go.Figure()
    most = float(np.log2(keys))
    h = np.linspace(0, most, 40)
    figure.add_scatter(
        x=h.round(3).tolist(), y=(2**h).round(3).tolist(), name="2^entropy", mode="lines",
        line={"color": GREY, "dash": "dash"}, hoverinfo="skip",
    )  # fmt: skip
    order = sorted(entropy, key=lambda name: name == chosen)
    for name in order:
        names = list(queries) if queries else [str(at) for at in range(len(entropy[name]))]
        full = name == chosen
        figure.add_scatter(
            x=np.asarray(entropy[name], dtype=float).round(3).tolist(),
            y=[int(count) for count in ones[name]],
            name=f"head {name}" if full else "other heads",
            showlegend=full or name == order[0],
            mode="markers",
            marker={"color": BINARY if full else pale(BINARY), "size": 9 if full else 6},
            customdata=[[query] for query in names],
            hovertemplate=f"head {name}, query %{{customdata[0]}}: %{{y}} ones, %{{x:.2f}} bits<extra></extra>",
            meta={"network": "1-bit"},
        )
    figure.update_xaxes(title="entropy of the row (bit)", range=[-0.1, most + 0.1])
    figure.update_yaxes(title="ones of the row (number)", range=[0, 1.04 * keys])
    sized(figure, 340)
    every = np.concatenate([np.asarray(values, dtype=float) for values in entropy.values()])
    counts = np.concatenate([np.asarray(values) for values in ones.values()])
    return describe(
        figure,
        alt=f"Ones of {len(every)} rows of attention against their entropy. Rows of {every.min():.3g} to "
        f"{every.max():.3g} bits get {counts.min()} to {counts.max()} ones of {keys} keys.",
    )
