import base64
import functools
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from binviz import analysis, plots
from binviz.bench import records
from binviz.plots.figure import POINT
from binviz.plots.narrow import narrowed, panels

RNG = np.random.default_rng(0)
X = RNG.normal(size=5000)
GRID = np.linspace(-2, 2, 201)
TOKENS = [f"token {i}" for i in range(24)]
LAYERS = [f"layers.{i}.ffn_in" for i in range(6)]


def softmax_rows(n):
    scores = np.exp(RNG.normal(size=(n, n)) * 2)
    return scores / scores.sum(axis=1, keepdims=True)


MAP, LONG = softmax_rows(24), softmax_rows(48).round(2)
FIGURES = {
    "curves": lambda: plots.curves(GRID, {"bnn": np.sign(GRID)}, {"bnn": (abs(GRID) <= 1) * 1.0}),
    "curves-two": lambda: plots.curves(GRID, {"a": GRID > 0, "b": GRID}, {"a": GRID * 0, "b": GRID * 0 + 1}),
    "before_after": lambda: plots.before_after(
        plots.histogram(X), plots.histogram(np.sign(X), span=(X.min(), X.max())), {-1: 2500, 1: 2500}
    ),
    "before_after-teacher": lambda: plots.before_after(
        plots.histogram(X, span=(-1, 1)),
        plots.histogram(np.sign(X), span=(-1, 1)),
        {-1: 2500, 1: 2500},
        teacher=plots.histogram(2 * X, span=(-1, 1)),
    ),
    "before_after-stays-float": lambda: plots.before_after(plots.histogram(X), teacher=plots.histogram(X)),
    "scale": lambda: plots.error_curve(plots.scale_sweep(X, np.sign(X)), of="scale"),
    "scale-far": lambda: plots.error_curve(plots.scale_sweep(X, 500 * np.sign(X)), "scale", "times its own"),
    "threshold": lambda: plots.error_curve(plots.threshold_sweep(X, 0, 1), of="threshold"),
    "threshold-used": lambda: plots.error_curve(plots.threshold_sweep(X, -1, 1, used=9.0), of="threshold"),
    "activations": lambda: plots.activations(
        LAYERS, [plots.histogram(X * s) for s in range(1, 7)], [plots.histogram(X)] * 6
    ),
    "attention": lambda: plots.attention(TOKENS, MAP, MAP.T, (MAP > 0.1).astype(int), 0.21, 0.976),
    "attention-scores": lambda: plots.attention(
        list("abcd"), MAP[:4, :4], MAP[:4, :4], np.where(MAP[:4, :4] > 0.1, 1, -1)
    ),
    "attention-stays-float": lambda: plots.attention(list("aabb"), MAP[:4, :4], MAP[:4, :4]),
    "model_view": lambda: plots.model_view(
        np.tile(MAP[:6, :6], (2, 3, 1, 1)),
        "1-bit, before: probability",
        [["a"] * 3, ["b"] * 3],
        chosen=(1, 2),
    ),
    "model_view-codes": lambda: plots.model_view(
        np.tile(MAP[:4, :4] > 0.1, (2, 3, 1, 1)), "code", codes=True
    ),
    "network": lambda: plots.network(
        ["q", "ffn_act", "pooler"],
        ["0", "1"],
        [[0.5, 1.2], [0.9, np.nan], [np.inf, 0.1]],
        [["layers.0.q", "layers.1.q"], ["layers.0.ffn_act", ""], ["", "pooler"]],
        reference=1.0,
        means="as wrong as answering zero",
        chosen="layers.1.q",
    ),
    "network-no-reference": lambda: plots.network(
        ["a"], ["-"], [[3.0]], [["a"]], "mean squared error", "unit²"
    ),
    "causes": lambda: plots.causes(
        ["q", "ffn_act"],
        {cause: [0.4, 0.9] if cause == "both" else [0.3, 1.2] for cause in analysis.CAUSES},
        reference=1.0,
        means="as wrong as answering zero",
    ),
    "sensitivity": lambda: plots.sensitivity(
        ["embed", "layers.0.attention", "all"], [1.0, -0.5, 40], [100, 0, 900], chance=50, chosen="embed"
    ),
    "patch_attention": lambda: plots.patch_attention(
        RNG.integers(0, 256, (8, 8)),
        (1, 2),
        MAP[0, :16].reshape(4, 4),
        MAP[1, :16].reshape(4, 4),
        (MAP[0, :16] > 0.1).reshape(4, 4).astype(int),
        class_token=(0.12, 0.3, 1),
    ),
    "patch_attention-class-token": lambda: plots.patch_attention(
        RNG.integers(0, 256, (32, 32, 3)), None, MAP[:8, :8], MAP[:8, :8], MAP[:8, :8] > 1
    ),
    "denoising": lambda: plots.denoising(RNG.uniform(-2, 2, (5, 8, 8)), RNG.uniform(-2, 2, (5, 8, 8))),
    "ones_entropy": lambda: plots.ones_entropy(
        {str(head): RNG.uniform(0, 4, 17) for head in range(4)},
        {str(head): RNG.integers(1, 17, 17) for head in range(4)},
        keys=17,
        chosen="2",
        queries=TOKENS[:17],
    ),
    "robustness": lambda: plots.robustness(
        {
            f"corruption {i}": {"float": np.linspace(98, 10 + i, 6), "1-bit": np.linspace(91, 10, 6)}
            for i in range(15)
        },
        chance=10.2,
        severity=3,
    ),
    "verdicts": lambda: plots.verdicts(
        ["BiT", "Bit-plane input layer"],
        {"holds": [7, 0], "weak": [7, 1], "fails": [9, 0], "not run": [0, 39]},
    ),
    "tradeoff": lambda: plots.tradeoff(
        [
            plots.Tradeoff("float", 60.0, 89.2, 87.0, 91.1, network="float", about="872 sentences"),
            plots.Tradeoff("BiT", 2.8, 81.8, 79.1, 84.2),
            plots.Tradeoff("plain signs", 2.8, 51.0, 47.7, 54.3),
            plots.Tradeoff("BERT", 418.0, 93.2, published=True, network="float"),
            plots.Tradeoff("BiT", 13.4, 89.9, published=True),
        ],
        "memory",
        "MiB",
        "accuracy",
        "%",
        chance=50.9,
    ),
    "tradeoff-one": lambda: plots.tradeoff(
        [plots.Tradeoff("BiT", 2.8, 0.3)], "time", "ms", "Matthews", "no unit"
    ),
    "ranking": lambda: plots.ranking(
        [
            plots.Place("a", "1–2", 97.0, 96.0, 98.0),
            plots.Place("b", "1–2", 96.5),
            plots.Place("c", "3", 9.0, 8.0, 9.5),
        ],
        "score",
        "% of float's",
    ),
    "ranking-one": lambda: plots.ranking([plots.Place("a", "1", 97.0)], "score", "% of float's"),
    "bit_product": lambda: plots.bit_product([0.5, -1, 0], [1, 2, -3], [1, 0, 1], [1, 1, 0]),
    "bit_product-and": lambda: plots.bit_product([0.6, 0], [1, -2], [1, 0], [1, 0], signed=False),
    "bit_words": lambda: plots.bit_words(RNG.integers(0, 2, 384), RNG.integers(0, 2, 384)),
    "bit_words-and": lambda: plots.bit_words(
        RNG.integers(0, 2, 1500), RNG.integers(0, 2, 1500), signed=False
    ),
    "bit_words-one": lambda: plots.bit_words([1], [0]),
    "roofline": lambda: plots.roofline(
        [plots.Point(kind, str(m), 1e6 * m, 1e5, 1e-4) for kind in ("1-bit", "float32") for m in (1, 8)],
        {"1-bit": 2.5e12, "float32": 1e11},
        bandwidth=2e10,
    ),
    "roofline-without-memory": lambda: plots.roofline(
        [plots.Point("1-bit", str(m), 1e6 * m, 1e5, 1e-4) for m in (1, 8)], {"1-bit": 2.5e12}, bandwidth=None
    ),
    "crossover": lambda: plots.crossover(
        [
            plots.Size(m, k, {"1 bit": 1e-6 * m, "float32": 1e-7 * k, "int8": 2e-3})
            for m in (1, 8, 128)
            for k in (64, 4096)
        ]
    ),
    "crossover-one-format": lambda: plots.crossover([plots.Size(1, 64, {"a format of one's own": 1e-3})]),
    "ratios": lambda: plots.ratios({"operations": 64.0}, {"time": (20.0, 19.0, 22.0)}),
    "costs": lambda: plots.costs(["0", "1"], {"1-bit": [1, 2], "float": [0, 3]}, "memory", "MiB", "bivit"),
    "costs-hatched": lambda: plots.costs(
        ["0", "1"],
        {"1-bit": [1, 2], "float": [0, 3]},
        "memory",
        "MiB",
        "own",
        {"1-bit": ["counted"] * 2, "float": ["counted", "fitted"]},
    ),
    "residuals": lambda: plots.residuals(
        {"main x main": [3.0, 1.0, 0.1], "main x residual": [2.0, 0.4, 0.0]}, [1.0, 0.3, 0.1, 0.0], (2, 1.2)
    ),
    "residuals-without-estimators": lambda: plots.residuals({"main x main": [3.0]}, [1.0, 0.0]),
    "flips": lambda: plots.flips([0, 10, 50], [[90, 80, 20], [np.nan, 82, 15]], 10.0, (10, 81.0)),
    "lines": lambda: plots.lines(
        [1, 10, 100], {"a": [3, 2, 1], "b": [1, np.nan, 2]}, "n (number)", "e (%)", "xy"
    ),
    "moving_histogram": lambda: plots.moving_histogram(
        [0, 10, 20], [plots.histogram(X * s, span=(-3, 3)) for s in (0.2, 0.5, 1)], "weight (value)"
    ),
    "bars": lambda: plots.bars(
        ["p", "q"], {"a": [1.0, 2.0], "b": [3.0, 0.0]}, "place (name)", "error (%)", ".1f"
    ),
    "claim": lambda: plots.claim(
        [
            plots.Side("a " * 30, [79.0, 77.5], 75.0, 81.0, 87.7, "a paper"),
            plots.Side("b", [40.0], network="float"),
        ],
        "accuracy",
        "%",
        chance=51.0,
    ),
    "claim-not-run": lambda: plots.claim([plots.Side("a", [])], "F1", "%"),
    "lines-network": lambda: plots.lines(
        [1, 2], {"a": [1, 2], "b": [2, 3]}, "n (n)", "e (%)", network="1-bit"
    ),
    "progress-chance": lambda: plots.progress({"a": ([1, 2], [40.0, 90.0])}, "accuracy", "%", chance=51.0),
    "progress": lambda: plots.progress({"a": ([1, 2], [0.0, np.nan]), "b": ([5], [0.9])}, "accuracy", "%"),
    "progress-log": lambda: plots.progress(
        {"a": ([1, 2, 3], [3.0, np.nan, 1.0]), "b": ([5], [0.0])},
        "loss",
        "unit of the loss",
        log=True,
        networks=["float", "1-bit"],
    ),
    "progress-none": lambda: plots.progress({}, "loss", "unit of the loss", log=True),
    "courses": lambda: plots.courses(
        {
            "a": plots.Course([1, 5], LAYERS, np.arange(12.0).reshape(6, 2)),
            "b": plots.Course([1], LAYERS[:2], [[0.1], [np.nan]]),
        },
        "flips",
        "% of weights",
    ),
    "pictures": lambda: plots.pictures(
        RNG.integers(0, 17, (10, 8, 8)), [str(i) for i in range(10)], columns=5
    ),
    "segmentation": lambda: plots.segmentation(
        RNG.integers(0, 256, (12, 16, 3)),
        RNG.integers(0, 12, (12, 16)),
        {name: RNG.integers(0, 11, (12, 16)) for name in ("float", "1-bit")},
        [f"class {i}" for i in range(11)],
    ),
    "segmentation-none": lambda: plots.segmentation(np.zeros((3, 5)), np.full((3, 5), -1), {}, ["one"]),
    "attention-long": lambda: plots.attention([f"{i} piece" for i in range(48)], LONG, LONG),
    "bars-long-names": lambda: plots.bars(
        [f"a place with the long name {i}" for i in range(12)],
        {"1-bit": range(12)},
        "place (name)",
        "error (%)",
    ),
    "courses-long-names": lambda: plots.courses(
        {
            "a": plots.Course(
                [1, 5], [f"encoder.layer.{i}.attention.query" for i in range(6)], np.ones((6, 2))
            )
        },
        "flips",
        "% of weights",
    ),
    "answers": lambda: plots.answers(["no", "yes"], [0.2, 0.8], [0.5, 0.5]),
    "accuracy_size-labelled": lambda: plots.accuracy_size(
        ["t", "s"], [27.9, 2.1], [91.0, 85.5], [False, True], labelled=["s"]
    ),
    "accuracy_size-pile": lambda: plots.accuracy_size(
        ["t", "s", "u"], [27.9, 2.1, 2.11], [91.0, 85.5, 85.4], [False, True, True], ["t", "u"], chance=51.0
    ),
    "accuracy_size": lambda: plots.accuracy_size(["t", "s"], [27.9, 2.1], [91.0, 85.5], [False, True]),
}
#: Drawn once: no test changes them.
DRAWN = {name: functools.cache(make) for name, make in FIGURES.items()}


@pytest.mark.parametrize("make", DRAWN.values(), ids=DRAWN)
def test_a_figure_is_what_is_promised(make):
    figure = make()
    axes = [axis for axis in figure.layout if axis.startswith(("xaxis", "yaxis"))]
    titled = [figure.layout[axis].title.text for axis in axes if figure.layout[axis].title.text]
    hidden = [axis for axis in axes if figure.layout[axis].visible is False]
    assert titled or len(hidden) == len(axes)
    for title in titled:
        assert re.search(r"\(.+\)$", title), title
    assert all(np.isfinite(number) for number in numbers(figure.to_plotly_json()["data"]))
    assert len(plots.describe(go.Figure(figure), code="").to_json()) < 40_000
    alt = figure.layout.meta["alt"]
    assert alt.endswith(".")
    assert "nan" not in alt
    # its code draws the same figure
    namespace = {}
    exec(figure.layout.meta["code"], namespace)
    drawn = namespace["figure"]
    assert drawn.layout.to_plotly_json().keys() == figure.layout.to_plotly_json().keys()
    assert [trace.name for trace in drawn.data] == [trace.name for trace in figure.data]
    ours, theirs = (list(numbers(each.to_plotly_json()["data"])) for each in (drawn, figure))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)  # both have four digits


def numbers(part):
    """All numbers in a figure's JSON, those packed in base64 too."""
    if isinstance(part, dict) and "bdata" in part:
        yield from np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"]).astype(float)
    elif isinstance(part, dict):
        for value in part.values():
            yield from numbers(value)
    elif isinstance(part, list | tuple | np.ndarray):
        for value in part:
            yield from numbers(value)
    elif isinstance(part, int | float | np.number) and not isinstance(part, bool):
        yield float(part)


def drawn_colours(trace):
    """Every colour of a trace that is one string or a list of them."""
    parts = trace.to_plotly_json()
    found = [parts.get("fillcolor"), parts.get("line", {}).get("color")]
    marker = parts.get("marker", {})
    for colour in (marker.get("color"), marker.get("line", {}).get("color")):
        found += [colour] if isinstance(colour, str) else list(colour if colour is not None else [])
    return {colour.upper() for colour in found if isinstance(colour, str)}


def family(network):
    colour = plots.theme.NETWORKS[network]
    return {colour.upper(), plots.theme.pale(colour).upper()}


@pytest.mark.parametrize("make", DRAWN.values(), ids=DRAWN)
def test_no_figure_draws_one_networks_tensor_in_the_others_colour(make):
    for trace in make().data:
        meta = trace.meta if isinstance(trace.meta, dict) else {}
        network = meta.get("network", trace.name)
        if network in plots.theme.NETWORKS:
            other = "1-bit" if plots.theme.NETWORKS[network] == plots.theme.FLOAT else "float"
            assert not drawn_colours(trace) & family(other), (network, trace.name)


@pytest.mark.parametrize("kind", ["progress", "progress-log", "claim", "lines-network"])
def test_a_figure_of_runs_has_the_float_networks_colour_for_float_networks_only(kind):
    for trace in FIGURES[kind]().data:
        is_float = trace.meta["network"] == "float"
        assert bool(drawn_colours(trace) & family("float")) is is_float, trace.name
        assert is_float or not drawn_colours(trace) & {plots.theme.FLOAT}


@pytest.mark.parametrize(
    "kind", ["before_after", "before_after-teacher", "activations", "attention", "patch_attention"]
)
def test_a_figure_of_tensors_says_whose_each_is(kind):
    shown = FIGURES[kind]().data
    if kind == "patch_attention":  # without the picture under each, and the points to click on
        shown = [trace for trace in shown if trace.type == "heatmap"]
    networks = [(trace.meta or {}).get("network") for trace in shown]
    assert set(networks) <= {"float", "1-bit"}
    assert networks == sorted(networks, reverse=True), "the teacher comes first"
    assert ("float" in networks) is (kind != "before_after")


def test_before_is_a_shade_of_after():
    teacher, before, after, codes = FIGURES["before_after-teacher"]().data
    assert teacher.marker.color == plots.theme.FLOAT
    assert before.marker.color == plots.theme.pale(after.marker.color)
    assert before.marker.line.color == after.marker.color == codes.marker.color == plots.theme.BINARY


def test_names_of_networks_have_their_colours_in_any_order():
    figure = plots.lines([0, 1], {"1-bit": [1, 2], "bnn": [1, 1], "float": [2, 2]}, "x (n)", "y (n)")
    colours = {line.name: line.line.color for line in figure.data}
    assert (colours["1-bit"], colours["float"]) == (plots.theme.BINARY, plots.theme.FLOAT)
    assert colours["bnn"] not in (plots.theme.BINARY, plots.theme.FLOAT)


@pytest.mark.parametrize(
    ("labels", "across", "named"),
    [
        (["class", *(f"{at // 8},{at % 8}" for at in range(64))], 8, [f"{row},0" for row in range(8)]),
        ([f"{at} piece" for at in range(48)], None, [f"{at} piece" for at in range(0, 48, 2)]),
        (["class", "0,0", "0,1", "1,0", "1,1"], 2, None),
    ],
)
def test_attention_of_long_inputs_fits_a_screen_and_names_rows_of_patches(labels, across, named):
    same = np.eye(len(labels))
    figure = plots.attention(labels, same, same, across=across)
    assert figure.layout.height < 720
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.ticktext == (None if named is None else tuple(named))


def stored_figures():
    """Those of the executed notebooks."""
    for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")):
        for at, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
            for output in cell.get("outputs", []):
                found = output.get("data", {}).get("application/vnd.plotly.v1+json")
                if found:
                    yield f"{path.stem}-{at}", go.Figure(found["data"], found["layout"])


def cut(figure):
    """Axes at an edge of the figure whose names need more room than there is, by the length of the text."""
    figure = go.Figure(figure.to_plotly_json())
    margin, given = figure.layout.margin, figure.layout.template.layout
    for letter, side in (("x", "b"), ("y", "l")):
        for axis in figure.select_xaxes() if letter == "x" else figure.select_yaxes():
            automatic = given[f"{letter}axis"].automargin if axis.automargin is None else axis.automargin
            if automatic or axis.visible is False or axis.showticklabels is False or axis.side == "right":
                continue
            own = axis.plotly_name.replace("axis", "")
            across = figure.layout[f"{axis.anchor[0]}axis{axis.anchor[1:]}"] if axis.anchor else None
            if across is not None and across.domain is not None and across.domain[0] > 0.01:
                continue
            labels = list(axis.ticktext or [])
            if axis.type == "category" and not labels:
                for trace in figure.data:
                    if (trace[f"{letter}axis"] or letter) == own and trace[letter] is not None:
                        labels += [str(each) for each in trace[letter] if each is not None]
            length = 7 * max(map(len, labels), default=5)
            if letter == "x":
                length = max(14, abs(math.sin(math.radians(axis.tickangle or 0))) * length)
            title = 16 if axis.title.text else 0
            if length + title > margin[side]:
                yield f"{own}: {length + title:.0f} pixels in {margin[side]}"


@pytest.mark.parametrize("make", DRAWN.values(), ids=DRAWN)
def test_no_axis_is_cut(make):
    assert not list(cut(make()))


def test_no_axis_of_a_notebook_is_cut():
    assert {name: found for name, figure in stored_figures() if (found := list(cut(figure)))} == {}


def test_what_is_cut_is_found():
    figure = plots.figure.sized(go.Figure(go.Bar(x=[1], y=["a name of some length"])), 300, left=20)
    figure.update_yaxes(type="category")
    assert list(cut(figure.update_layout(template="binviz")))


def test_plain_figures_have_margins_that_follow_their_labels():
    layout = go.Figure(layout={"template": "binviz"}).layout.template.layout
    assert layout.xaxis.automargin and layout.yaxis.automargin


@pytest.mark.slow
def test_a_model_view_of_a_base_model_stays_light():
    maps = RNG.random((12, 12, 128, 128))
    figure = plots.describe(plots.model_view(maps, "probability"), code="")
    assert len(figure.to_json()) < 100_000
    # Each small cell is the mean of those that it stands for.
    small = figure.data[0].z.reshape(12, 16, 12, 16).transpose(0, 2, 1, 3)
    means = maps.reshape(12, 12, 16, 8, 16, 8).mean((3, 5))
    np.testing.assert_allclose(small, 240 * means / means.max(), atol=0.51)  # rounded to whole numbers


def test_a_click_on_the_network_names_a_place():
    cells, points = FIGURES["network"]().data
    assert [each[0] for each in points.customdata] == [
        "layers.0.q",
        "layers.1.q",
        "layers.0.ffn_act",
        "pooler",
    ]
    assert list(zip(points.x, points.y, strict=True)) == [
        ("0", "q"), ("1", "q"), ("0", "ffn_act"), ("1", "pooler"),
    ]  # fmt: skip
    # A value of 1 is white, wherever the others lie.
    assert (cells.zmin + cells.zmax) / 2 == 1
    assert [list(row) for row in cells.z] == [[0.5, 1.2], [0.9, None], [None, 0.1]]


def test_shapes_of_activations_share_one_scale():
    few = plots.Histogram([0, 1, 2], [50, 50])
    half = plots.Histogram([0, 2, 4], [50, 50])
    left, right = plots.activations(["a"], [few], [half]).data
    # Half the share per unit: half as wide.
    assert min(left.x[:-1]) == pytest.approx(-0.46) and max(right.x[:-1]) == pytest.approx(0.23)
    assert left.text[1] == "0 to 1: 50 values, 50 %"


def test_values_beyond_the_axis_are_counted():
    part = plots.histogram(X, span=(-1, 1))
    assert part.outside == (abs(X) > 1).sum()
    alt = FIGURES["before_after-teacher"]().layout.meta["alt"]
    assert f"teacher {(abs(2 * X) > 1).sum():,} of 5,000, before {part.outside:,} of 5,000 values" in alt


def test_a_projector_gets_larger_text_and_no_smaller_plot():
    for make in DRAWN.values():
        small = make()
        large = plots.theme.scaled(small, 1.5)
        assert large.layout.font.size == 1.5 * plots.theme.SIZE
        inside = [each.layout.height - each.layout.margin.t - each.layout.margin.b for each in (small, large)]
        assert inside[0] == inside[1]
        assert [note.font.size for note in large.layout.annotations] == [
            note.font.size and 1.5 * note.font.size for note in small.layout.annotations
        ]
        assert large.layout.meta == small.layout.meta
        assert large.layout.template == small.layout.template


@pytest.mark.parametrize("make", DRAWN.values(), ids=DRAWN)
def test_on_a_phone_few_panels_stand_side_by_side_and_each_is_as_high_as_before(make):
    wide = make()
    height, narrow = wide.layout.height, narrowed(wide)
    before, after = panels(wide), panels(narrow)
    tops = [panel.top for panel in after]
    alike = {round(panel.right - panel.left, 2) for panel in before}
    assert len(after) == len(before) and (len(alike) > 1 or max(map(tops.count, tops), default=0) <= 2)
    for old, new in zip(before, after, strict=True):
        areas = [each.layout.height - each.layout.margin.t - each.layout.margin.b for each in (wide, narrow)]
        assert (new.top - new.bottom) * areas[1] == pytest.approx((old.top - old.bottom) * areas[0], abs=2)
        if len({panel.left for panel in after}) == 1 and (said := wide.layout[old.y].title.text):
            assert narrow.layout[new.y].title.text == said
    assert wide.layout.height == height
    assert [note for note in narrow.layout.annotations if note.name == POINT] == []


def test_describe_replaces_only_what_is_given():
    figure = plots.describe(FIGURES["curves"](), code="figure = None")
    assert figure.layout.meta["code"] == "figure = None"
    assert figure.layout.meta["alt"].startswith("bnn")


def test_histogram_loses_no_value():
    part = plots.histogram(X, bins=7, span=(-0.5, 0.5))
    assert sum(part.counts) == X.size
    assert len(part.edges) == 8


def test_histogram_of_a_constant():
    assert sum(plots.histogram(np.ones(5), bins=3).counts) == 5


@pytest.mark.parametrize("scale", [1e-4, 0.3, 1, 4, 1e4, -1])
@pytest.mark.parametrize("codes", [np.sign(X), (X > 1) * 1.0], ids=["signed", "nonnegative"])
def test_scale_sweep_equals_the_definition_and_holds_both_points(codes, scale):
    sweep = plots.scale_sweep(X, scale * codes, shift=0.1)
    expected = [100 * ((X - 0.1 - f * scale * codes) ** 2).sum() / (X**2).sum() for f in sweep.values]
    np.testing.assert_allclose(sweep.errors, expected)
    assert sweep.best_error <= min(sweep.errors) + 1e-9
    for value, error in ((sweep.best, sweep.best_error), (1.0, sweep.used_error)):
        assert sweep.errors[sweep.values.index(value)] == error
    assert sweep.used == 1 and sweep.values[0] < min(1, sweep.best) and max(1, sweep.best) < sweep.values[-1]


@pytest.mark.parametrize("levels", [(-1, 1), (0, 1), (X * 0.1, X + 1)], ids=["signs", "bits", "of-each"])
@pytest.mark.parametrize("position", [None, np.cos(X)], ids=["value", "other"])
def test_threshold_sweep_equals_the_definition(levels, position):
    sweep = plots.threshold_sweep(X, *levels, position, used=7.0)
    for threshold, error in [*[*zip(sweep.values, sweep.errors, strict=True)][::20], (7.0, sweep.used_error)]:
        y = np.where(threshold <= (X if position is None else position), levels[1], levels[0])
        assert error == pytest.approx(100 * ((X - y) ** 2).sum() / (X**2).sum())
    assert sweep.values[-1] == sweep.used == 7 and sweep.best_error == min(sweep.errors)


@pytest.mark.parametrize("x", [np.zeros(9), np.ones(9)], ids=["zeros", "ones"])
def test_sweeps_of_a_constant_are_finite(x):
    for y in (np.ones(9), np.zeros(9)):
        assert np.isfinite(plots.scale_sweep(x, y).errors).all()
    assert np.isfinite(plots.threshold_sweep(x, -1, 1).errors).all()


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1, 1e3])
def test_the_binarizers_own_point_is_always_drawn(scale):
    figure = plots.error_curve(plots.scale_sweep(X, scale * np.sign(X)), "scale", "times its own")
    curve, zero, _, own = figure.data
    assert zero.name == "as wrong as answering zero" and set(zero.y) == {100}
    assert own.name == "this binarizer, scale 1" and min(curve.x) < own.x[0] == 1 < max(curve.x)
    expected = 100 * ((X - scale * np.sign(X)) ** 2).sum() / (X**2).sum()
    assert own.y[0] == curve.y[list(curve.x).index(1)] == pytest.approx(expected)
    assert (figure.layout.xaxis.type == "log") is (scale in (1e-3, 1e3))


def test_no_binarizer_beside_another_has_the_colour_of_a_float_network():
    flat = dict.fromkeys("abcde", GRID)
    drawn = [trace for trace in plots.curves(GRID, flat, flat).data if trace.name in flat]
    assert plots.theme.FLOAT not in {trace.line.color for trace in drawn}
    assert len({(trace.line.color, trace.line.dash) for trace in drawn}) == 4


def test_templates_are_registered():
    figure = go.Figure(layout={"template": "binviz_dark"})
    assert figure.layout.template.layout.plot_bgcolor == "rgba(0,0,0,0)"


@pytest.mark.slow
def test_notebooks_cannot_upload_and_others_do_not_wait_for_notebooks():
    script = """
import importlib, sys
from binviz import plots
assert "nbformat" not in sys.modules
import IPython, plotly.io
importlib.reload(plots.theme)
assert plotly.io.renderers["plotly_mimetype"].config["showSendToCloud"] is False
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_colours_differ_in_lightness_or_hue_for_colour_blind_readers():
    assert len(set(plots.theme.CATEGORICAL)) == len(plots.theme.CATEGORICAL) == 8
    assert plots.theme.FLOAT != plots.theme.BINARY


def test_a_product_of_bits_says_the_dot_product():
    a, w = RNG.normal(size=(2, 16))
    bits = [(x >= 0).astype(int) for x in (a, w)]
    signs = [2 * each - 1 for each in bits]
    alt = plots.bit_product(a, w, *bits).layout.meta["alt"]
    assert alt.endswith(f"the dot product is {signs[0] @ signs[1]}.")
    alt = plots.bit_product(a, w, *bits, signed=False).layout.meta["alt"]
    assert alt.endswith(f"the dot product is {bits[0] @ signs[1]}.")


@pytest.mark.parametrize("length", [1, 63, 64, 65, 384])
def test_words_say_the_dot_product_and_count_the_ones_of_each(length):
    a, w = RNG.integers(0, 2, (2, length))
    figure = plots.bit_words(a, w)
    assert figure.layout.meta["alt"].endswith(f"the dot product is {(2 * a - 1) @ (2 * w - 1)}.")
    counted = [trace.text for trace in figure.data if trace.type == "scatter"]
    assert [sum(map(int, texts)) for texts in counted] == [a.sum(), w.sum(), (a ^ w).sum()]
    assert len(counted[0]) == -(-length // 64)
    figure = plots.bit_words(a, w, signed=False)
    assert figure.layout.meta["alt"].endswith(f"the dot product is {a @ (2 * w - 1)}.")


def test_the_roof_is_memory_first_and_the_limit_then():
    point = plots.Point("1-bit", "1", operations=1e9, bytes=1e6, seconds=1e-3)
    roof, _ = plots.roofline([point], {"1-bit": 2e12}, bandwidth=1e10).data
    np.testing.assert_allclose(roof.y, np.minimum(np.array(roof.x) * 1e10, 2e12) / 1e12)
    assert roof.x[1] == 200
    assert roof.y[-1] == 2


def test_the_map_names_the_fastest_and_how_far_it_is_ahead():
    cells = [
        plots.Size(8, 64, {"1 bit": 2e-6, "int8": 5e-6, "float32": 1e-6}),
        plots.Size(1, 128, {"1 bit": 1e-3, "float32": 4e-3}),
    ]
    figure = plots.crossover(cells)
    map_, *legend = figure.data
    assert [trace.name for trace in legend] == ["1 bit", "int8", "float32"]
    assert (list(map_.x), list(map_.y)) == (["64", "128"], ["1", "8"])
    assert [list(line) for line in map_.z] == [[None, 0], [2, None]]
    assert [list(line) for line in map_.text] == [["", "1 bit<br>4 ×"], ["float32<br>2 ×", ""]]
    assert map_.customdata[1][0].split("<br>") == [
        "float32: 1 µs", "1 bit: 2 µs, 2 times as long", "int8: 5 µs, 5 times as long",
    ]  # fmt: skip
    # Each winner has the colour that the legend gives it.
    colours = [colour for _, colour in map_.colorscale][::2]
    assert colours == [trace.marker.color for trace in legend]
    assert "1 bit at 1; float32 at 1" in figure.layout.meta["alt"]


@pytest.mark.parametrize("name", records.shipped())
def test_the_map_of_every_stored_record_is_drawn(name):
    found = records.shipped()[name].get("crossover")
    if found is None:
        pytest.skip("the record is older than the map")
    figure = plots.crossover([plots.Size(**cell) for cell in found["cells"]])
    assert len(figure.data[0].y) * len(figure.data[0].x) == len(found["cells"])
    assert {trace.name for trace in figure.data[1:]} == set(found["formats"])


def test_pictures_of_the_same_noise_stand_in_rows_with_gaps_between():
    floats = np.arange(4.0)[:, None, None] * np.ones((2, 3)) / 4
    figure = plots.denoising(floats, floats - 0.25, columns=3)
    tiles, apart = (np.array(figure.data[i].z, float) for i in (0, 2))
    assert tiles.shape == (2 * 3 - 1, 3 * 4 - 1)
    assert [tiles[0, 0], tiles[0, 4], tiles[1, 10], tiles[4, 2]] == [0, 0.25, 0.5, 0.75]
    assert np.isnan(tiles[2]).all() and np.isnan(tiles[:, 3]).all() and np.isnan(tiles[3:, 4:]).all()
    assert np.nanmax(apart) == np.nanmin(apart) == -0.25 and figure.data[2].zmax == 0.25
    with pytest.raises(ValueError, match="against"):
        plots.denoising(floats, floats[:2])
