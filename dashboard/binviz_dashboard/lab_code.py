"""The steps of `lab` as Python that runs alone, for the menus of its figures."""

from __future__ import annotations

from collections.abc import Sequence

from binviz import binarizers
from binviz_dashboard.lab import DISTRIBUTIONS, Lab

_CURVES = """\
# One value of the first row runs over the grid, the rest of the row stays.
grid = torch.linspace(*plots.central_span(x), 301)
rows = x[:1].repeat(301, 1)
rows[:, 0] = grid
{remake}rows.requires_grad_()
parts = (code.q * code.scale.detach() + code.shift.detach() for code in binarizer.bases(rows))
output = sum(parts)[:, 0]
output.sum().backward()
slope = rows.grad[:, 0]
figure = plots.curves(grid, {{"{name}": output.detach()}}, {{"{name}": slope}})
"""
_BESIDE = """\
chosen = [{chosen}]
found = lab.compare(chosen, [lab.measure(each, x.numpy()) for each in chosen])
figure = plots.curves(found.grid, found.outputs, found.slopes)
"""
_FIGURES = {
    "histogram": """\
y = binarizer(x)
low, high = plots.central_span(x)
span = (min(low, float(y.min())), max(high, float(y.max())))
codes = {level: sum(int((code.q == level).sum()) for code in bases) for level in binarizer.levels}
figure = plots.before_after(plots.histogram(x, span=span), plots.histogram(y, span=span), codes)
""",
    "scale": """\
sweep = plots.scale_sweep(x, sum(code.q * code.scale for code in bases), sum(code.shift for code in bases))
figure = plots.error_curve(sweep, of="scale", unit="times its own")
""",
    "threshold": """\
cut = binarizer.cut(x)
low, high = (bases[0].scale * level + bases[0].shift for level in binarizer.levels)
sweep = plots.threshold_sweep(x, low, high, cut.position, used=cut.at)
""",
}


def source_code(chosen: Lab, source: str, figure: str, threshold_of: tuple[str, str] = ("", "")) -> str:
    """Python that draws one of the lab's figures from nothing.

    Args:
        chosen: the binarizer.
        source: lines that make the tensor x, (rows, columns), from torch, numpy as np and `rng`.
        figure: "curves", "histogram", "scale" or "threshold".
        threshold_of: what `lab.measure` says of the threshold.
    """
    if figure == "curves" and chosen.of_whole_tensor:
        return source_of_comparison([chosen], source)
    given = "".join(f", {key}={value!r}" for key, value in chosen.options)
    made = [f"binarizer = binarizers.get({chosen.name!r}, features={{x}}.shape[{chosen.axis}]{given})"]
    made += ["binarizer.eval().requires_grad_(False)"]
    if chosen.progress is not None:
        made += [f"binarizer.set_progress({chosen.progress})"]
    made += ["binarizer({x})  # what is learned starts from the first input"]
    if chosen.learnt:
        made += ["binarizer = binarizers.least_error(binarizer, {x})"]
    inner = ".inner" if chosen.learnt and chosen.learns == "factor" else ""
    scales = binarizers.get(chosen.name).scales
    made += [
        f"binarizer{inner}.{name}.{'mul_' if name in scales else 'add_'}({move})"
        for name, move in chosen.by_hand
    ]
    make = "\n".join(made) + "\n"
    if figure == "curves":
        drawn = _CURVES.format(name=chosen.name, remake=make.format(x="rows") if chosen.axis == 0 else "")
    else:
        drawn = "bases = binarizer.bases(x)\n" + _FIGURES[figure]
    if figure == "threshold":
        of, unit = threshold_of
        shift = f"binarizer{inner}.learned_shift"
        drawn += f"sweep = sweep.as_added(float({shift}[0]))\n" if unit == "added to x" else ""
        drawn += f"figure = plots.error_curve(sweep, of={of!r}, unit={unit!r})\n"
    return _head(source, "binarizers, plots") + source + make.format(x="x") + drawn


def source_of_comparison(chosen: Sequence[Lab], source: str) -> str:
    """Python that draws the curves of several binarizers."""
    text = _BESIDE.format(chosen=", ".join(f"lab.{each!r}" for each in chosen))
    ours = "" if "import lab\n" in source else "from binviz_dashboard import lab\n\n"
    return _head(source, "plots") + ours + source + text


def source_of_distribution(name: str, centre: float, spread: float, seed: int) -> str:
    """The lines that draw what `lab.draw` draws."""
    expression = DISTRIBUTIONS[name].format(c=centre, s=spread)
    return f"rng = np.random.default_rng({seed})\nx = torch.from_numpy({expression}).float()\n"


def _head(source: str, ours: str) -> str:
    imports = ["numpy as np"] * ("np." in source) + ["scipy"] * ("scipy." in source) + ["torch"]
    return "".join(f"import {module}\n" for module in imports) + f"\nfrom binviz import {ours}\n\n"
