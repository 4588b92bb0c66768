"""A second model beside the first: the same widgets, the same scales, in the link."""

import json

import plotly.graph_objects as go
import pytest
from binviz_dashboard import compare, subject

ONE, OTHER = "digits-vit.bit-w1a1", "digits-vit.bibert"


def figures(app):
    return {chart.key: go.Figure(json.loads(chart.proto.spec)) for chart in app.get("plotly_chart")}


def url(app):
    return {key: "".join(value) for key, value in app.query_params.items()}


@pytest.mark.slow
def test_both_are_drawn_with_one_set_of_widgets_and_on_the_same_scales(visit):
    app = visit("inside", model=ONE, digit="3")
    keys = {widget.key for kind in ("selectbox", "number_input", "button_group") for widget in app.get(kind)}
    alone = figures(app)
    app.selectbox(key="second").set_value(OTHER).run()
    assert not app.exception and not app.error and not app.warning
    assert url(app) == {"model": ONE, "second": OTHER, "digit": "3"}
    now = {widget.key for kind in ("selectbox", "number_input", "button_group") for widget in app.get(kind)}
    assert now == keys
    both = figures(app)
    assert set(both) == {*alone, *(f"{key}-2" for key in alone)}
    for name in (ONE, OTHER):
        assert any(subject.of(name).title in text.value for text in app.markdown)
    for key in alone:
        one, other = both[key], both[f"{key}-2"]
        assert one.layout.meta["code"] != other.layout.meta["code"]
        assert one.layout.yaxis.range == other.layout.yaxis.range
        if one.data[0].type == "heatmap":
            assert one.data[0].zmin == other.data[0].zmin < one.data[0].zmax == other.data[0].zmax
    again = figures(visit("inside", **url(app)))
    assert again == both


@pytest.mark.slow
def test_a_choice_moves_both_and_the_second_follows_to_the_next_page(visit):
    app = visit("inside", model=ONE, second=OTHER, measure="cosine")
    app.selectbox(key="place").set_value("layers.1.ffn_act").run()
    assert sum("layers.1.ffn_act: teacher" in text.value for text in app.markdown) == 2
    app.query_params.clear()  # as a click on a page's name does
    app.switch_page("views/answers.py").run()
    assert app.selectbox(key="second").value == OTHER
    assert {"answers", "answers-2", "sizes"} == set(figures(app))
    assert not app.exception and not app.warning


@pytest.mark.slow
def test_only_models_of_the_same_task_are_offered(visit):
    offered = visit("inside", model=ONE).selectbox(key="second").options
    task = subject.of(ONE).task
    alike = {each.title for name, each in subject.subjects().items() if each.task == task and name != ONE}
    assert offered[0] == compare.NOBODY and set(offered[1:]) == alike != set()
    assert "second" not in [box.key for box in visit("inside", model="sst2-minilm.bit-w1a1").selectbox]


@pytest.mark.slow
@pytest.mark.parametrize("view", ["Distributions", "Sensitivity", "Margins"])
def test_every_view_can_be_compared(visit, view):
    app = visit("inside", view=view, model=ONE, second=OTHER)
    assert not app.exception and not app.error and not app.warning
    assert any(subject.of(OTHER).title in text.value for text in app.markdown)
    drawn = [*figures(app), *(button.key for button in app.button)]
    assert any(key.endswith("-2") for key in drawn if key)


@pytest.mark.slow
@pytest.mark.parametrize("view", ["Attention", "Residuals", "Attribution", "Signs"])
def test_every_slow_view_can_be_compared(visit, view):
    app = visit("inside", view=view, model=ONE, second="digits-vit.bnn-threshold")
    assert not app.exception and not app.error and not app.warning
    assert any(key.endswith("-2") for key in figures(app))
