"""Which networks nothing beats, by the definition."""

import numpy as np

from binviz import plots


def naive(costs, values):
    """Nothing costs no more and is worth no less, unless it is the same in both."""
    points = list(zip(costs, values, strict=True))
    return [
        not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
        for cost, value in points
    ]


def test_the_front_is_that_of_the_definition():
    random = np.random.default_rng(0)
    for _ in range(200):
        size = int(random.integers(0, 12))
        costs, values = (list(map(float, random.integers(0, 6, size))) for _ in range(2))  # with many ties
        assert plots.pareto(costs, values) == naive(costs, values)


def test_each_kind_has_a_front_of_its_own():
    points = [
        plots.Tradeoff("small", 1.0, 70.0),
        plots.Tradeoff("large", 4.0, 80.0),
        plots.Tradeoff("beaten", 5.0, 75.0),
        plots.Tradeoff("theirs", 2.0, 60.0, published=True),
    ]
    figure = plots.tradeoff(points, "memory", "MB", "accuracy", "%")
    lines = {trace.name: list(trace.x) for trace in figure.data if trace.mode == "lines"}
    assert lines == {"nothing measured here beats these": [1.0, 4.0]}
    hollow = [trace.marker.symbol for trace in figure.data if "published" in trace.name]
    assert hollow == ["diamond-open"]
    assert "1 point published, nothing beats theirs 2 60" in figure.layout.meta["alt"]
