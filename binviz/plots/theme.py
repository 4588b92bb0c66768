"""Colours and templates of every figure.

`binviz` is the default, for a white page: grey text on transparent ground, 4.5 times as light or dark as the page.
`binviz_dark` is for a dark one. There are two because no single grey reaches 4.5:1 on white and on Streamlit's
#0e1117; the best has 4.35:1 on both. The base size of all text is in the template, `scaled` changes it.

A colour says which network a tensor belongs to (`FLOAT`, `BINARY`), its shade whether it was taken before the
network's binarizer (pale) or behind it (full): `of_network`. Categories are the Okabe-Ito colours, sequences cividis,
differences RdBu around a reference: all can be told apart by colour-blind readers. In a notebook, importing this
module also switches off the button with which plotly.js would upload a figure's data.

>>> import plotly.io as pio
>>> from binviz.plots import theme
>>> pio.templates["binviz"].layout.paper_bgcolor
'rgba(0,0,0,0)'
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Literal

import plotly.graph_objects as go
import plotly.io as pio

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, GREY = "#E69F00", "#56B4E9", "#F0E442", "#8C8C8C"
CATEGORICAL = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, YELLOW]
#: The same colour means the same thing in every figure.
FLOAT, BINARY, OPTIMUM = BLUE, VERMILLION, GREEN
SEQUENTIAL = "Cividis"
DIVERGING = "RdBu"

#: The codes 0 (or -1) and 1; places of a product that add and that subtract. Each pair also differs on a grey print.
ZERO, ONE = "#4C6299", "#FEE838"
ADDED, SUBTRACTED = "#8FD9C0", "#A84600"
#: Of the type in a figure, in pixels; ticks and legends have this size, titles of axes 1.2 times it.
SIZE = 14
#: Template -> colour of its type.
TEXT = {"binviz": "#767676", "binviz_dark": "#d8d8d8"}
#: Names by which a network goes in legends -> its colour.
NETWORKS = {
    "float": FLOAT,
    "teacher": FLOAT,
    "float32": FLOAT,
    "1-bit": BINARY,
    "student": BINARY,
    "1 bit": BINARY,
}

#: Of several networks of one kind in a figure: colour and dash of each; the first has the kind's own colour.
KINDS = {
    "float": ((FLOAT, "solid"), (SKY, "dash")),
    "1-bit": ((BINARY, "solid"), (PURPLE, "dash"), (SKY, "dot"), (ORANGE, "dashdot")),
}

#: Passed wherever a figure is shown: nothing can be sent away from the page.
CONFIG = {"showSendToCloud": False, "plotlyServerURL": "", "displaylogo": False}


def of_network(network: Literal["float", "1-bit"], *, before: bool = False) -> dict[str, Any]:
    """Marker and `meta` of a trace that shows a tensor of a network.

    Args:
        network: whose tensor it is.
        before: taken before the network's binarizer: the same colour, pale.

    >>> of_network("1-bit")["marker"]["color"], of_network("1-bit", before=True)["marker"]["color"]
    ('#D55E00', 'rgba(213,94,0,0.35)')
    """
    colour = NETWORKS[network]
    marker = {"color": pale(colour) if before else colour, "line": {"color": colour, "width": 1}}
    return {"marker": marker, "meta": {"network": network}}


def pale(colour: str) -> str:
    """The colour, 35 % of it: lighter on a white page, darker on a dark one.

    >>> pale("#0072B2")
    'rgba(0,114,178,0.35)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.35)"


def colours(names: Iterable[str]) -> list[str]:
    """A colour for each name: a network's own where the name is one of `NETWORKS`, else the next category.

    Where a network is among them, no other name gets its colour.

    >>> colours(["1-bit", "bnn"]) == [BINARY, BLUE], colours(["a", "b"]) == CATEGORICAL[:2]
    (True, True)
    """
    names = list(names)
    taken = {NETWORKS[name] for name in names if name in NETWORKS}
    free = [colour for colour in CATEGORICAL if colour not in taken]
    others = [name for name in names if name not in NETWORKS]
    return [NETWORKS.get(name) or free[others.index(name) % len(free)] for name in names]


def strokes(networks: Iterable[str]) -> list[tuple[str, str, str]]:
    """Colour, dash and kind of each of some networks, which are "float" or "1-bit".

    >>> strokes(["1-bit", "float", "1-bit"])
    [('#D55E00', 'solid', '1-bit'), ('#0072B2', 'solid', 'float'), ('#CC79A7', 'dash', '1-bit')]
    """
    networks = list(networks)
    found = []
    for index, kind in enumerate(networks):
        before = networks[:index].count(kind)
        found.append((*KINDS[kind][before % len(KINDS[kind])], kind))
    return found


def scaled(figure: go.Figure, factor: float) -> go.Figure:
    """A copy of a figure of `binviz.plots` with larger text, for a projector; its margins and height grow with it.

    >>> small = go.Figure(layout={"template": "binviz", "height": 300, "margin": {"t": 40, "b": 60}})
    >>> large = scaled(small, 1.5)
    >>> large.layout.font.size, large.layout.margin.b, large.layout.height
    (21.0, 90, 350)
    """
    parts = figure.to_plotly_json()
    layout = parts["layout"]
    template = layout.pop("template", "binviz")
    for part in (layout, parts["data"]):
        _enlarge(part, factor)
    layout.setdefault("font", {})["size"] = layout.get("font", {}).get("size", factor * SIZE)
    margin = {
        side: round(factor * size) for side, size in layout.get("margin", {}).items() if size is not None
    }
    if "height" in layout:
        layout["height"] += sum(margin.get(side, 0) - layout["margin"].get(side, 0) for side in "tb")
    layout["margin"] = margin
    return go.Figure(parts["data"], layout | {"template": template})


def _enlarge(part: Any, factor: float) -> None:
    """Every size of a font, in place."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key.endswith("font") and isinstance(value, dict) and "size" in value:
                value["size"] = factor * value["size"]
            else:
                _enlarge(value, factor)
    elif isinstance(part, list | tuple):
        for value in part:
            _enlarge(value, factor)


def _template(text: str, grid: str) -> go.layout.Template:
    axis = {"gridcolor": grid, "zerolinecolor": grid, "linecolor": grid, "ticks": "", "automargin": True}
    return go.layout.Template(
        layout={
            "colorway": CATEGORICAL,
            "font": {"color": text, "size": SIZE},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "colorscale": {"sequential": SEQUENTIAL, "diverging": DIVERGING},
            "coloraxis": {"colorbar": {"outlinewidth": 0, "thickness": 12}},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
            "margin": {"l": 10, "r": 10, "t": 40, "b": 10},
            "hovermode": "closest",
        },
        data={
            "bar": [{"marker": {"line": {"width": 0}}}],
            "heatmap": [{"colorscale": SEQUENTIAL, "colorbar": {"outlinewidth": 0, "thickness": 12}}],
        },
    )


pio.templates["binviz"] = _template(TEXT["binviz"], grid="rgba(128,128,128,0.28)")
pio.templates["binviz_dark"] = _template(TEXT["binviz_dark"], grid="rgba(200,200,200,0.28)")
if "IPython" in sys.modules:  # elsewhere nobody shows figures so, and asking for `renderers` takes a second
    pio.renderers["plotly_mimetype"].config = CONFIG
