import base64
import json
import re
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from binviz_dashboard import models, speed

PAGES = ["start", "lab", "training", "bits", "activations", "errors", "attention"]
WITH_MODELS = [page for page in PAGES if page not in ("lab", "training", "bits")]
#: One of each kind of model, and the others of the same kind.
KINDS = ["sst2-minilm.bit-w1a1", "digits-vit.bit-w1a1", "digits-cnn.xnor"]
OTHERS = [name for name in models.binary_names() if name not in KINDS]


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


@pytest.mark.parametrize("page", PAGES)
def test_page_draws_without_a_complaint_and_describes_its_charts(visit, page):
    app = visit(page)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert charts(app)
    for chart in app.get("plotly_chart"):
        assert chart.proto.alt.endswith(".")
        assert json.loads(chart.proto.config)["showSendToCloud"] is False
        assert len(chart.proto.spec) < 100_000


@pytest.mark.parametrize("name", [*KINDS, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
@pytest.mark.parametrize("page", WITH_MODELS)
def test_every_model_on_every_page(visit, page, name):
    app = visit(page, model=name)
    assert not app.exception
    assert app.selectbox(key="model").value == name
    assert charts(app) or len(app.error) == 1


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ("start", {}),
        ("start", {"model": "digits-vit.bit-w1a1", "digit": "3"}),
        ("lab", {}),
        ("lab", {"binarizer": "elastic-unsigned", "input": "softmax rows", "spread": "2.0"}),
        ("lab", {"binarizer": "bivit-weight", "input": "weights of a model"}),
        ("lab", {"binarizer": "bivit-attention", "input": "activations of a model"}),
        ("lab", {"binarizer": "elastic-signed", "elastic-signed.bits": "2", "input": "Laplace", "seed": "3"}),
        ("lab", {"input": "uniform", "centre": "0.5"}),
        ("lab", {"input": "ReLU output"}),
        ("bits", {"a": "1 -2 0.6", "w": "0 1 -1"}),
        ("bits", {"codes": "0 and 1 (AND)"}),
        ("bits", {"part": "A row of a model"}),
        ("bits", {"part": "A row of a model", "model": "digits-vit.bit-w1a1", "digit": "3", "token": "5"}),
        ("bits", {"part": "Costs", "rule": "bivit", "recipe": "bivit-mixed"}),
        ("training", {"beside": "bit: sst2.bibert", "moved": "scales"}),
        ("training", {"part": "Live on the digits", "clip": "true"}),
        ("activations", {}),
        ("activations", {"model": "digits-vit.bit-w1a1", "tensor": "layers.*.ffn_act"}),
        ("errors", {"measure": "signal to noise", "places": "binarizers", "layer": "1"}),
        ("errors", {"places": "residual stream"}),
        ("errors", {"model": "digits-cnn.xnor"}),
        ("attention", {"text": "it was not good", "head": "1"}),
        ("attention", {"model": "digits-vit.bit-w1a1", "query": "1,2", "layer": "1"}),
    ],
    ids=lambda part: part if isinstance(part, str) else "-".join(part.values()) or "default",
)
def test_the_code_in_the_menu_draws_the_chart(visit, page, url):
    app = visit(page, **url)
    assert not app.exception
    assert not app.warning
    assert charts(app)
    for chart in charts(app):
        namespace = {}
        exec(chart["layout"]["meta"]["code"], namespace)
        again, shown = namespace["figure"], go.Figure(chart)
        assert len(again.data) == len(shown.data)
        for ours, theirs in zip(again.data, shown.data, strict=True):
            for axis in ("x", "y", "z"):
                assert_equal(getattr(ours, axis, None), getattr(theirs, axis, None))


def assert_equal(ours, theirs):
    if isinstance(theirs, dict):  # packed in base64
        theirs = np.frombuffer(base64.b64decode(theirs["bdata"]), theirs["dtype"]).reshape(np.shape(ours))
    if ours is None or isinstance(next(iter(ours)), str):
        np.testing.assert_array_equal(ours, theirs)
    else:
        ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.nanmax(np.abs(theirs)))


def test_the_url_sets_the_lab(visit):
    app = visit("lab", binarizer="bivit-attention", input="softmax rows", spread="2.5", seed="7")
    assert app.selectbox(key="binarizer").value == "bivit-attention"
    assert app.slider(key="spread").value == 2.5
    assert app.number_input(key="seed").value == 7


def test_a_choice_follows_to_the_next_page(visit):
    app = visit("start", model="digits-vit.bit-w1a1", digit="5")
    app.switch_page("views/errors.py").run()
    assert app.selectbox(key="model").value == "digits-vit.bit-w1a1"
    assert app.number_input(key="digit").value == 5
    assert app.selectbox(key="layer").value == "all"


def test_every_binarizer_runs_in_the_lab(visit):
    app = visit("lab")
    for name in app.selectbox(key="binarizer").options:
        app.selectbox(key="binarizer").set_value(name).run()
        assert not app.exception, name
        assert not app.error, name


def test_learned_values_can_be_set_by_hand(visit):
    app = visit("lab", binarizer="elastic-signed")
    app.toggle(key="by_hand").set_value(True).run()
    app.slider(key="learned.alpha").set_value(0.8).run()
    assert not app.exception
    assert "alpha.mul_(0.8)" in charts(app)[0]["layout"]["meta"]["code"]


def test_start_names_what_is_recorded_and_what_runs_on_bits(visit):
    labels = {metric.label for metric in visit("start").metric}
    assert {"Accuracy, recorded", "Size of the file", "Time, in float32", "Time, on bits"} <= labels


@pytest.mark.parametrize("name", ["sst2-minilm.bit-w1a1", "digits-vit.bivit-w1a1", "digits-cnn.xnor"])
def test_a_model_of_each_architecture_has_its_costs_and_its_rows(visit, name):
    app = visit("bits", part="Costs", network=name)
    assert not app.exception and not app.error
    assert len(charts(app)) == 2
    app = visit("bits", part="A row of a model", model=name)
    assert not app.exception
    assert len(charts(app)) == 1 or "no 1-bit linear layer" in app.error[0].value


def test_a_rows_number_is_the_models(visit):
    app = visit(
        "bits", part="A row of a model", linear="layers.5.fc2", row="383", token="3", text="a good film"
    )
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["From the bits"] == shown["The model says"]
    assert "AND" in next(iter(shown))
    assert "film" in app.main.markdown[0].value


def test_a_row_and_a_token_that_another_choice_does_not_have(visit):
    app = visit("bits", part="A row of a model", linear="layers.0.fc1", row="1535", token="5")
    app.selectbox(key="linear").set_value("layers.0.query").run()
    assert not app.exception
    assert app.number_input(key="row").value == 383
    app.selectbox(key="model").set_value("digits-vit.bit-w1a1").run()
    assert not app.exception
    assert app.number_input(key="row").value == 63


def test_every_rule_is_printed_beside_its_figures(visit):
    app = visit("bits", part="Costs")
    for rule in app.selectbox(key="rule").options:
        app.selectbox(key="rule").set_value(rule).run()
        assert not app.exception
        assert [metric.label for metric in app.metric] == [
            f"Operations [rule {rule}]",
            f"Memory [rule {rule}]",
        ]
        assert all(f"the rule {rule}:" in chart["layout"]["meta"]["alt"] for chart in charts(app))


def test_the_race_is_run_on_demand(visit, monkeypatch):
    monkeypatch.setattr(speed.roofline, "disturbed", lambda contests: False)
    app = visit("bits", part="Speed", shape="384 → 384", rows="8")
    assert not charts(app) and not app.metric
    app.button(key="measure").click().run()
    assert not app.exception and not app.error
    assert len(charts(app)) == 2
    assert app.metric[0].label == "1-bit layer, packing included"
    app.selectbox(key="rows").set_value("128").run()  # the measurement stays until the next one
    assert len(charts(app)) == 2
    assert "8 rows, 384 → 384" in app.caption[-1].value
    assert any("Measure again for 128 rows" in info.value for info in app.info)


def test_two_runs_stand_side_by_side_with_what_differs(visit):
    app = visit("training", run="bit: sst2.bit-w1a1", beside="bit: sst2.bibert")
    assert len(charts(app)[0]["data"]) == len(charts(app)[1]["data"]) == 2
    settings = app.dataframe[0].value
    assert {"loss.name", "loss.label_weight"} <= set(settings["setting"])


def test_a_run_without_flips_says_so(visit):
    app = visit("training", run="sst2: sst2.float", beside="bit: sst2.bit-w1a1")
    assert any("sst2.float has no flips" in info.value for info in app.info)
    assert len(charts(app)[-1]["data"]) == 1


def test_a_net_that_keeps_its_first_signs_flips_nothing(visit):
    visit("training", part="Live on the digits", frozen="true")
    app = visit(
        "training", part="Live on the digits", frozen="true"
    )  # the second visitor is served from memory
    assert not app.exception
    values = {metric.label: metric.value for metric in app.metric}
    assert values["Signs that flip in a step, at the end"] == "0.00%"


def test_the_map_is_the_recorded_one_until_one_is_measured_here(visit, monkeypatch):
    cells = [
        {"rows": m, "size": 64, "seconds": {"1 bit": 1e-6 * m, "int8": 4e-6, "float32": 5e-6}} for m in (1, 8)
    ]
    found = {"formats": ["1 bit", "int8", "float32"], "left_out": {}, "unsteady": 0.0, "cells": cells}
    recorded = {"example": speed.Map(found, "Example 9000, 2 cores")}
    here = speed.Map(found | {"unsteady": 0.5, "cells": cells[:1]}, "here")
    monkeypatch.setattr(speed, "accepted_maps", lambda: recorded)
    monkeypatch.setattr(speed, "measure_map", lambda tell: (tell(0.5, "half"), here)[1])
    app = visit("bits", part="Speed")
    assert any("Recorded on Example 9000" in each.value for each in app.markdown)
    assert charts(app)[-1]["data"][0]["y"] == ["1", "8"]
    app.button(key="measure-map").click().run()
    assert any("This machine" in each.value for each in app.markdown)
    assert charts(app)[-1]["data"][0]["y"] == ["1"]
    assert "not steady at 50 %" in app.warning[0].value
    app.selectbox(key="among").set_value("two bits and more").run()
    assert [trace["name"] for trace in charts(app)[-1]["data"][1:]] == ["int8", "float32"]


def test_without_a_recorded_map_the_page_says_how_to_measure_one(visit, monkeypatch):
    monkeypatch.setattr(speed, "accepted_maps", dict)
    app = visit("bits", part="Speed")
    assert not app.exception
    assert any("Measure a map" in each.value for each in app.info)


@pytest.mark.parametrize("name", ["sst2-minilm.bit-w1a1", "digits-vit.bnn-threshold"])
def test_one_where_the_two_differ_is_found_from_the_one_that_is_shown(visit, name):
    app = visit("start", model=name)
    seen = []
    for _ in range(2):
        app.button(key="differ").click().run()
        assert not app.exception and not app.error
        said = [metric.value for metric in app.metric if metric.label.endswith(" says")]
        assert said[0] != said[1]
        seen.append(app.query_params)
        assert any(caption.value.startswith("They agree on") for caption in app.caption)
    assert seen[0] != seen[1]


def test_word_pieces_that_the_models_do_not_know_are_counted(visit):
    app = visit("start", text="\u7535\u5f71 good")
    assert any("unknown to this model" in warning.value for warning in app.warning)


def test_no_time_is_shown_where_the_machine_was_not_steady(visit, monkeypatch):
    measure = speed.measure_pair
    monkeypatch.setattr(speed, "measure_pair", lambda *given: replace(measure(*given), steady=False))
    app = visit("start")
    times = [metric.value for metric in app.metric if metric.label.startswith("Time")]
    assert times == ["not steady", "not steady"]
    assert not any(re.search(r"\d (ms|times)", each.value) for each in [*app.markdown, *app.caption])
