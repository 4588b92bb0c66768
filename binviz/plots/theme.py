"""Colours and templates of every figure.

`binviz` is the default: a middle grey on transparent ground that can be read on a white and on a dark page.
`binviz_dark` has lighter lines and text for a page that is always dark.

Categories are the Okabe-Ito colours, sequences cividis, differences RdBu around zero: all can be told apart
by colour-blind readers. In a notebook, importing this module also switches off the button with which plotly.js
would upload a figure's data.

>>> import plotly.io as pio
>>> from binviz.plots import theme
>>> pio.templates["binviz"].layout.paper_bgcolor
'rgba(0,0,0,0)'
"""

from __future__ import annotations

import sys

import plotly.graph_objects as go
import plotly.io as pio

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, GREY = "#E69F00", "#56B4E9", "#F0E442", "#8C8C8C"
CATEGORICAL = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, YELLOW]
#: The same colour means the same thing in every figure.
FLOAT, BINARY, OPTIMUM = BLUE, VERMILLION, GREEN
SEQUENTIAL = "Cividis"
DIVERGING = "RdBu"

#: Passed wherever a figure is shown: nothing can be sent away from the page.
CONFIG = {"showSendToCloud": False, "plotlyServerURL": "", "displaylogo": False}


def _template(text: str, grid: str) -> go.layout.Template:
    axis = {"gridcolor": grid, "zerolinecolor": grid, "linecolor": grid, "ticks": ""}
    return go.layout.Template(
        layout={
            "colorway": CATEGORICAL,
            "font": {"color": text, "size": 13},
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


pio.templates["binviz"] = _template(text="#767676", grid="rgba(128,128,128,0.28)")
pio.templates["binviz_dark"] = _template(text="#d8d8d8", grid="rgba(200,200,200,0.28)")
if "IPython" in sys.modules:  # elsewhere nobody shows figures so, and asking for `renderers` takes a second
    pio.renderers["plotly_mimetype"].config = CONFIG
