"""Draw every registered binarizer and write the table that shows them.

    python docs/binarizers.py

One value of a row runs from left to right while the rest of the row stays; the curves are what the class itself makes
of that value, and the gradient that comes back to it. Writes docs/binarizers.md and a picture for each name in
docs/binarizers.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from binviz import binarizers
from binviz.binarizers.curve import curve
from binviz.plots.thumbnail import thumbnail

HERE = Path(__file__).parent
PICTURES = HERE / "binarizers"

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
        (PICTURES / f"{registered}.svg").write_text(thumbnail(registered, *curve(registered)), "utf-8")
    (HERE / "binarizers.md").write_text(table(), "utf-8")
