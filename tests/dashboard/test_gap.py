"""The page Fill the gap, on a tiny model and a record of it: both are made here."""

import doctest
import json

import numpy as np
import pytest
from binviz_dashboard import cache, filled
from binviz_dashboard.pages import FILLER, PAGES

from binviz import zoo
from binviz.evidence import gaps, runs
from binviz.evidence.gaps import Filled, Gaps
from binviz.training.bundle import bundle

SENTENCES = ("A ___ dog.", "The king is ___.")
ANSWERS = tuple([("good", 0.5), ("bad", 0.25), ("the", 0.125)] for _ in SENTENCES)
METRICS = {"loss": 3.0, "perplexity": 20.0, "accuracy": 0.5}


@pytest.fixture
def bundled(models, tmp_path, monkeypatch):
    """A zoo with nothing but a tiny model that fills gaps, and a record of three."""
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(runs, "SHIPPED", tmp_path / "runs")
    monkeypatch.setattr(gaps, "SHIPPED", tmp_path / "gaps.json")
    monkeypatch.setitem(PAGES, "gap", ("Fill the gap", ":material/edit_note:"))
    zoo._manifest.cache_clear()
    model, tokenizer = models.fills()
    run = runs.Run("pretrain", "mlm.float+bipft-a", 0, {}, "", {}, METRICS, 1.0)
    bundle(FILLER, model, run, lambda model: (METRICS, np.zeros(0)), tokenizer, half_head=True)
    known = [
        Filled(cell, 0, recipe, tokens, METRICS | {"perplexity": perplexity}, {}, ANSWERS)
        for cell, recipe, tokens, perplexity in (
            ("mlm.float", "float", 1_200_000, 40.0),
            ("mlm.float+bipft-a.at-10", "bipft-a", 600_000, 500.0),
            ("mlm.float+bipft-a", "bipft-a", 5_120_000, 300.0),
        )
    ]
    gaps.write(Gaps(SENTENCES, ("good", "bad"), tuple(known), {}, {}), gaps.SHIPPED)
    caches = (cache.model, cache.packed, cache.tokenizer, cache.fill)
    for each in caches:
        each.clear()
    yield
    for each in caches:
        each.clear()
    zoo._manifest.cache_clear()


def said(app):
    told = " ".join(element.value for kind in ("markdown", "caption") for element in app.get(kind))
    return told.replace("\\", "")


def test_examples_in_docstrings():
    assert doctest.testmod(filled).failed == 0


@pytest.mark.slow
def test_a_recorded_sentence_is_filled_by_both(visit, bundled):
    app = visit("gap")
    assert not app.exception and not app.error and not app.warning
    assert "Float, recorded: good 50.0 %" in said(app) and "The word that was taken out: good" in said(app)
    assert "1-bit, live: " in said(app) and "perplexity is 300 against the float model's 40" in said(app)
    assert "5.1 million tokens" in said(app) and "ms, on bits" in said(app)
    assert [chart.proto.alt.endswith(".") for chart in app.get("plotly_chart")] == [True, True]
    table = app.dataframe[0].value
    assert table["model"].tolist()[1:] == ["BiPFT (a), 0.6 million tokens", "BiPFT (a), 5.1 million tokens"]
    assert table["right here"].tolist() == ["yes"] * 3 and table["right of all"][0] == "1 of 2"
    app.selectbox(key="gap").set_value(SENTENCES[1]).run()
    assert (
        "The word that was taken out: bad" in said(app) and "".join(app.query_params["gap"]) == SENTENCES[1]
    )


def test_a_sentence_of_ones_own_is_filled_live(visit, bundled):
    app = visit("gap", **{"own-gap": "The [MASK] is bad."})
    assert not app.exception and not app.error and not app.warning
    assert "not in the box" in said(app) and len(app.get("plotly_chart")) == 1
    code = {}
    exec(json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["meta"]["code"], code)
    assert list(code["figure"].data[0].x) == [piece for piece, _ in code["found"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A good dog.", "The text has no gap; write"),
        ("A ___ ___.", "The text has 2 gaps"),
        (" ", "The text is empty"),
        ("good " * 80 + "___", "shorten it to 62 or fewer"),
    ],
    ids=["none", "two", "empty", "long"],
)
def test_a_text_that_has_no_gap_to_fill_is_one_line(visit, bundled, text, line):
    app = visit("gap", **{"own-gap": text})
    assert not app.exception and len(app.error) == 1
    assert line in app.error[0].value.replace("\\", "")
    app.text_input(key="own-gap").set_value("A ___ dog.").run()
    assert not app.error and app.get("plotly_chart")
