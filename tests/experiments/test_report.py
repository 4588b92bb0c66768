"""A verdict as text: the difference in its unit, and what would have been seen."""

import pytest

from binviz.evidence.claims import Claim, Finding
from binviz.experiments import registry, report
from binviz.experiments.report import verdict

NAN = float("nan")


def said(found):
    """The first line, without the cells."""
    first, second = verdict(found).splitlines()
    assert second.strip() == "a beats b (page 1)"
    return " ".join(first.split()).removesuffix(" a against b")


@pytest.mark.parametrize(
    ("claim", "found", "text"),
    [
        ({}, ("holds", 0.02, 0.01, 2, "right or wrong", 0.015), "holds +2.0 points, p 0.01, 2 seeds"),
        ({}, ("weak", 0.02, 0.2, 1, "right or wrong", 0.034), "weak +2.0 points, p 0.2, 1 seed; 3.4 would be seen"),
        ({}, ("fails", -0.02, 0.01, 1, "right or wrong", 0.015),
         "fails -2.0 points, p 0.01, 1 seed; 1.5 would be seen"),
        ({}, ("fails", -0.02, 0.2, 1, "right or wrong", 0.034),
         "fails, within noise -2.0 points, p 0.2, 1 seed; 3.4 would be seen"),
        ({"margin": 0.1}, ("weak", -0.09, 0.01, 1, "right or wrong", 0.02),
         "weak -9.0 points, 1 seed; 2.0 inside the margin would be seen"),
        ({"metric": "f1"}, ("weak", 0.02, 0.2, 1, "right or wrong", 0.034),
         "weak +0.02 f1, p 0.2, 1 seed; 3.4 points would be seen"),
        ({"metric": "pearson"}, ("weak", 0.0123, 0.2, 1, "scores", 0.051),
         "weak +0.0123 pearson, p 0.2, 1 seed; 0.051 of the mean score would be seen"),
        ({"metric": "fid", "lower": True}, ("weak", 1.5, 0.2, 5, "seeds", 2.2),
         "weak +1.5 fid, p 0.2, 5 seeds; 2.2 would be seen"),
        ({"metric": "fid", "lower": True}, ("weak", 1.5, NAN, 3, "seeds", NAN),
         "weak +1.5 fid, 3 seeds; 5 seeds would be tested"),
        ({"metric": "fid"}, ("fails", -1.5, NAN, 3, "seeds", NAN),
         "fails, untested -1.5 fid, 3 seeds; 5 seeds would be tested"),
        ({}, ("not run",), "not run"),
    ],
)  # fmt: skip
def test_first_line(claim, found, text):
    assert said(Finding(Claim("a beats b", "page 1", "a", "b", **claim), *found)) == text


@pytest.mark.parametrize("name", registry.NAMES)
def test_what_a_command_prints_of_every_experiment(name):
    experiment = registry.get(name)
    texts = report.cells(experiment), report.table(experiment), report.verdicts(experiment)
    for text, counted in zip(texts, (experiment.cells, experiment.compared, experiment.claims), strict=True):
        assert text.count("\n") >= len(counted)
