import base64
import json
import re
from contextlib import suppress
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from binviz_dashboard import jobs, speed, subject
from binviz_dashboard.pages import MOVED, PAGES

#: One of each kind of model, and the others of the same kind.
KINDS = ["sst2-minilm.bit-w1a1", "digits-vit.bit-w1a1", "digits-cnn.xnor"]
OTHERS = [name for name in subject.subjects() if name not in KINDS]


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def finished(app, key):
    """The page after a job of the visitor's has ended."""
    assert app.session_state["binviz"].jobs[f"{key} last"].done.wait(120)
    return app.run()


@pytest.mark.parametrize("page", PAGES)
def test_page_draws_without_a_complaint_and_describes_its_charts(visit, page):
    app = visit(page)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert charts(app) or app.get("bidi_component")
    for chart in app.get("plotly_chart"):
        assert chart.proto.alt.endswith(".")
        assert json.loads(chart.proto.config)["showSendToCloud"] is False
        assert len(chart.proto.spec) < 200_000


@pytest.mark.parametrize("name", [*KINDS, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
@pytest.mark.parametrize("page", ["answers", "inside"])
def test_every_model_on_every_page(visit, page, name):
    app = visit(page, model=name)
    assert not app.exception and not app.error
    assert app.selectbox(key="model").value == name
    assert charts(app)


def test_models_without_attention_are_not_offered_where_attention_is_looked_at(visit):
    for page, url in (
        ("inside", {"view": "Attention"}),
        ("inside", {"view": "Margins"}),
        ("bits", {"part": "A row of a model"}),
    ):
        offered = visit(page, **url).selectbox(key="model").options
        assert len(offered) == len(subject.subjects(attending=True)) < len(subject.subjects())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "url"),
    [
        ("answers", {}),
        ("answers", {"model": "digits-vit.bit-w1a1", "digit": "3"}),
        ("binarizers", {}),
        ("binarizers", {"binarizer": "elastic-unsigned", "input": "softmax rows", "spread": "2.0"}),
        ("binarizers", {"kind": "weight", "binarizer": "bivit-weight"}),
        ("binarizers", {"kind": "attention", "binarizer": "bivit-attention", "input": "activations of a model"}),
        ("binarizers", {"binarizer": "elastic-signed", "elastic-signed.bits": "2", "input": "Laplace", "seed": "3"}),
        ("binarizers", {"binarizer": "elastic-signed", "learnt": "true", "beside-it": "reactnet-activation"}),
        ("binarizers", {"input": "uniform", "centre": "0.5"}),
        ("bits", {"a": "1 -2 0.6", "w": "0 1 -1"}),
        ("bits", {"codes": "0 and 1 (AND)"}),
        ("bits", {"part": "A row of a model"}),
        ("bits", {"part": "A row of a model", "model": "digits-vit.bit-w1a1", "digit": "3", "token": "5"}),
        ("tradeoffs", {"task": "digits", "cost": "memory", "rule": "bivit"}),
        ("tradeoffs", {"rule": "bivit", "recipe": "bivit-mixed"}),
        ("evidence", {"verdict": "fails"}),
        ("evidence", {"run": "bit/sst2.bibert/0", "beside": "bit/sst2.bit-w1a1/0", "moved": "scales"}),
        ("playground", {"part": "On digits"}),
        ("playground", {"clip": "true"}),
        ("robustness", {"severity": "5", "model": "digits-cnn.xnor", "digit": "9"}),
        ("inside", {"measure": "signal to noise", "places": "binarizers", "place": "layers.1.ffn_in"}),
        ("inside", {"places": "residual stream"}),
        ("inside", {"model": "digits-cnn.xnor"}),
        ("inside", {"view": "Distributions"}),
        ("inside", {"view": "Distributions", "model": "digits-vit.bit-w1a1", "tensor": "layers.*.ffn_act"}),
        ("inside", {"view": "Attribution", "text": "not good", "away": "in windows", "steps": "8"}),
        ("inside", {"view": "Attribution", "model": "digits-cnn.xnor", "nothing": "grey", "steps": "8"}),
        ("inside", {"view": "Margins", "model": "digits-vit.bibert", "digit": "2"}),
        ("yours", {"yours": "digits-cnn.float", "recipe": "bibert"}),
        ("inside", {"view": "Attention", "text": "it was not good", "head": "1"}),
        ("inside", {"view": "Attention", "model": "digits-vit.bit-w1a1", "query": "1,2", "layer": "1"}),
        ("inside", {"view": "Residuals", "model": "digits-vit.bit-w1a1", "head": "1", "product": "context"}),
        ("inside", {"view": "Signs", "model": "digits-vit.bit-w1a1", "flipped": "3"}),
    ],
    ids=lambda part: part if isinstance(part, str) else "-".join(part.values()) or "default",
)  # fmt: skip
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
    if ours is None or not len(ours) or isinstance(next(iter(ours)), str):
        np.testing.assert_array_equal(ours, theirs)
    else:
        ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.nanmax(np.abs(theirs)))


@pytest.mark.parametrize("old", MOVED)
def test_an_old_link_leads_to_where_its_page_has_gone(old):
    page, values = MOVED[old]
    assert page in PAGES
    assert set(values) <= {"view"}


def test_an_old_link_to_a_run_still_names_it(visit):
    app = visit("evidence", run="bit: sst2.bibert", beside="bit: sst2.bit-w1a1")
    assert not app.warning
    assert app.selectbox(key="run").value == "bit/sst2.bibert/0"
    assert app.selectbox(key="beside").value == "bit/sst2.bit-w1a1/0"


@pytest.mark.slow
def test_each_binarizer_opens_on_the_input_that_it_is_made_for(visit):
    app = visit("binarizers", binarizer="bivit-attention")
    assert app.selectbox(key="input").value == "softmax rows"
    app.get("button_group")[0].set_value("weight").run()
    assert app.selectbox(key="input").value == "weights of a model"
    assert not app.exception and not app.warning
    app.selectbox(key="input").set_value("Laplace").run()
    app.selectbox(key="binarizer").set_value("xnor-weight").run()
    assert app.selectbox(key="input").value == "Laplace"


def test_a_choice_follows_to_the_next_page(visit):
    app = visit("answers", model="digits-vit.bit-w1a1", digit="5")
    app.switch_page("views/inside.py").run()
    assert app.selectbox(key="model").value == "digits-vit.bit-w1a1"
    assert app.number_input(key="digit").value == 5


@pytest.mark.slow
def test_every_binarizer_runs(visit):
    for kind in ("activation", "weight", "attention"):
        app = visit("binarizers", kind=kind)
        for name in app.selectbox(key="binarizer").options:
            app.selectbox(key="binarizer").set_value(name).run()
            assert not app.exception, name
            assert not app.error, name


def test_learned_values_can_be_set_by_hand(visit):
    app = visit("binarizers", binarizer="elastic-signed")
    app.toggle(key="by_hand").set_value(True).run()
    app.slider(key="learned.alpha").set_value(0.8).run()
    assert not app.exception
    assert "alpha.mul_(0.8)" in charts(app)[0]["layout"]["meta"]["code"]


def test_answers_name_what_is_recorded_and_what_both_cost(visit):
    app = visit("answers")
    assert set(metrics(app)) == {"Float says", "1-bit says"}
    assert list(app.table[0].value.columns) == ["file", "time", "recorded", "chance"]


def test_answers_say_who_is_right_in_one_sentence(visit):
    said = [each.value for each in visit("answers").markdown]
    assert sum(each.startswith("**Both say positive") and "Both are right" in each for each in said) == 1


def test_a_rows_number_is_the_models(visit):
    app = visit(
        "bits", part="A row of a model", linear="layers.5.fc2", row="383", token="3", text="a good film"
    )
    shown = metrics(app)
    assert shown["From the bits"] == shown["The model says"]
    assert "AND" in next(iter(shown))
    assert any("film" in each.value for each in app.main.markdown)


def test_a_row_and_a_token_that_another_choice_does_not_have(visit):
    app = visit("bits", part="A row of a model", linear="layers.0.fc1", row="1535", token="5")
    app.selectbox(key="linear").set_value("layers.0.query").run()
    assert not app.exception
    assert app.number_input(key="row").value == 383
    app.selectbox(key="model").set_value("digits-vit.bit-w1a1").run()
    assert not app.exception
    assert app.number_input(key="row").value == 63


def test_every_rule_is_printed_beside_its_figures(visit):
    app = visit("tradeoffs", part="Costs")
    for rule in app.selectbox(key="rule").options:
        app.selectbox(key="rule").set_value(rule).run()
        assert not app.exception
        rule = app.selectbox(key="rule").value
        assert list(metrics(app)) == [f"Operations [rule {rule}]", f"Memory [rule {rule}]"]
        assert all(f"the rule {rule}:" in chart["layout"]["meta"]["alt"] for chart in charts(app))


@pytest.mark.slow
def test_tokens_are_asked_for_where_text_is_read_and_as_many_as_it_takes(visit):
    assert visit("tradeoffs", network="BERT-base").number_input(key="tokens").max == 512
    assert visit("tradeoffs", network="sst2-minilm.bit-w1a1").number_input(key="tokens").max < 512
    for name in ("ViT-B/16", "digits-vit.bivit-w1a1", "digits-cnn.xnor"):
        app = visit("tradeoffs", network=name)
        assert not app.exception and not app.error and not app.number_input
        assert len(charts(app)) == 2


@pytest.mark.slow
def test_the_race_is_recorded_until_it_is_run_here(visit, monkeypatch):
    monkeypatch.setattr(speed.roofline, "disturbed", lambda contests: False)
    app = visit("tradeoffs", part="Speed")
    assert any(each.value.startswith("Recorded on") for each in app.caption)
    app = visit("tradeoffs", part="Speed", shape="384 → 384", rows="8")
    assert not app.metric
    app.button(key="measure").click().run()
    app = finished(app, "measure")
    assert not app.exception and not app.error
    assert app.metric[0].label == "1-bit layer, packing included"
    assert any(each.value.startswith("Measured here") for each in app.caption)
    app.selectbox(key="rows").set_value("128").run()  # the measurement stays until the next one
    assert app.metric
    assert any("Below is 8 rows" in info.value for info in app.info)


def test_what_goes_wrong_in_a_job_is_one_line(visit, monkeypatch):
    def fails(*given):
        raise ValueError("of its own")

    monkeypatch.setattr(speed, "race", fails)
    monkeypatch.setattr(jobs.Job, "run", quietly(jobs.Job.run))
    app = visit("tradeoffs", part="Speed")
    app.button(key="measure").click().run()
    app = finished(app, "measure")
    assert [each.value for each in app.error] == ["This went wrong\\: ValueError"]
    assert not app.exception and app.button(key="measure")


def quietly(run):
    def without_a_trace(job):
        with suppress(ValueError):
            run(job)

    return without_a_trace


def test_a_claim_shows_both_sides_with_every_task(visit):
    app = visit("evidence", question="BiT is better than BiBERT: is that so?")
    said = [each.value for each in app.markdown]
    assert any(each.startswith("**SST-2**: ") for each in said) and any("MRPC: " in each for each in said)
    assert charts(app)[0]["layout"]["meta"]["alt"]


def test_a_claim_has_its_place_in_the_list_and_the_examples_on_which_its_sides_differ(visit):
    app = visit("evidence", paper="BiT", verdict="weak")
    table = app.dataframe[0].value
    assert {each.split()[1].rstrip(",") for each in table["verdict"]} == {"weak"}
    assert table["would be seen"].str.len().min() > 0 and table["p (Holm)"].str.len().min() > 0
    said = " ".join(each.value for each in app.markdown)
    assert "**Written down:** 2026" in said and "would be seen" in said
    first = [each.value for each in app.caption if each.value.startswith("Their numbers")]
    next(group for group in app.get("button_group") if group.key == "right").set_value("neither").run()
    assert first != [each.value for each in app.caption if each.value.startswith("Their numbers")]
    assert any("binviz reproduce bit --cell" in each.value for each in app.code)


def test_trade_offs_say_where_no_time_was_measured(visit):
    app = visit("tradeoffs", task="digits", cost="time")
    assert not app.exception and not charts(app)
    assert any("No measured time" in each.value for each in app.info)
    shown = charts(visit("tradeoffs", task="sst2", cost="time"))[0]
    assert {trace["name"].split(", ")[1] for trace in shown["data"] if trace["mode"] == "markers"} == {
        "measured here", "published",
    }  # fmt: skip


def test_two_runs_stand_side_by_side_with_what_differs(visit):
    app = visit("evidence", run="bit/sst2.bit-w1a1/0", beside="bit/sst2.bibert/0")
    losses, accuracies = charts(app)[1:3]
    assert len(losses["data"]) == len(accuracies["data"]) == 2
    settings = app.dataframe[0].value
    assert {"loss.name", "loss.label_weight"} <= set(settings["setting"])


def test_a_run_says_what_it_has_not_on_record(visit):
    app = visit("evidence", run="sst2/sst2.float/0")
    assert any("Not on record:" in each.value and "flips" in each.value for each in app.caption)


@pytest.mark.slow
def test_a_net_that_keeps_its_first_signs_flips_nothing(visit):
    visit("playground", frozen="true")
    app = visit("playground", frozen="true")  # the second visitor is served from memory
    assert not app.exception
    assert metrics(app)["Signs that flip in a step, at the end"] == "0 %"


def test_the_map_is_the_recorded_one_until_one_is_measured_here(visit, monkeypatch):
    cells = [
        {"rows": m, "size": 64, "seconds": {"1 bit": 1e-6 * m, "int8": 4e-6, "float32": 5e-6}} for m in (1, 8)
    ]
    found = {"formats": ["1 bit", "int8", "float32"], "left_out": {}, "unsteady": 0.0, "cells": cells}
    recorded = {"example": speed.Map(found, "Example 9000, 2 cores")}
    here = speed.Map(found | {"unsteady": 0.5, "cells": cells[:1]}, "here")
    monkeypatch.setattr(speed, "accepted_maps", lambda: recorded)
    monkeypatch.setattr(speed, "measure_map", lambda tell: (tell(0.5, "half"), here)[1])
    app = visit("tradeoffs", part="Speed")
    assert any("Recorded on Example 9000" in each.value for each in app.caption)
    assert charts(app)[-1]["data"][0]["y"] == ["1", "8"]
    app.button(key="measure-map").click().run()
    app = finished(app, "measure-map")
    assert any("Measured on this machine" in each.value for each in app.caption)
    assert charts(app)[-1]["data"][0]["y"] == ["1"]
    assert "not steady at 50 %" in app.warning[0].value
    app.selectbox(key="among").set_value("two bits and more").run()
    assert [trace["name"] for trace in charts(app)[-1]["data"][1:]] == ["int8", "float32"]


def test_without_a_recorded_map_the_page_says_how_to_measure_one(visit, monkeypatch):
    monkeypatch.setattr(speed, "accepted_maps", dict)
    app = visit("tradeoffs", part="Speed")
    assert not app.exception
    assert any("Measure a map" in each.value for each in app.info)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sst2-minilm.bit-w1a1", "digits-vit.bnn-threshold"])
def test_one_where_the_two_differ_is_found_from_the_one_that_is_shown(visit, name):
    app = visit("answers", model=name)
    seen = []
    for _ in range(2):
        app.button(key="differ").click().run()
        assert not app.exception and not app.error
        said = [metric.value for metric in app.metric if metric.label.endswith(" says")]
        assert said[0] != said[1]
        seen.append(dict(app.query_params))
        assert any(each.value.startswith("They agree on") for each in app.info)
    assert seen[0] != seen[1]


def test_word_pieces_that_the_models_do_not_know_are_counted(visit):
    app = visit("answers", text="\u7535\u5f71 good")
    assert any("unknown to this model" in warning.value for warning in app.warning)


def test_no_time_is_shown_where_the_machine_was_not_steady(visit, monkeypatch):
    measure = speed.measure_pair
    monkeypatch.setattr(speed, "measure_pair", lambda *given: replace(measure(*given), steady=False))
    app = visit("answers")
    assert app.table[0].value["time"].tolist() == ["not steady", "not steady"]
    assert not any(re.search(r"\d (ms|times)", each.value) for each in [*app.markdown, *app.caption])


@pytest.mark.slow
def test_a_page_goes_on_while_somebody_else_measures(visit):
    with speed.turn():
        app = visit("answers")
    assert not app.exception and not app.error and metrics(app)
    assert app.table[0].value["time"].tolist() == ["not measured", "not measured"]


@pytest.mark.parametrize("text", ["Das war kein schlechter Film.", "这部电影 🙂🙃 Ἀρετή, \u202eשלום"])
def test_text_in_other_scripts_is_answered_and_stays_in_the_link(visit, text):
    app = visit("answers", text=text)
    assert not app.exception and not app.error
    assert app.text_input(key="text").value == text and app.query_params["text"] == text
    assert metrics(app).keys() == {"Float says", "1-bit says"}
