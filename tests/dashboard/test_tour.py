"""The tour leads only to what there is, and frames something there."""

import pytest
from binviz_dashboard import tour
from streamlit.testing.v1 import AppTest

from binviz.errors import UserError

STEP = '[[step]]\ntitle = "A"\ntext = "B"\nlink = "bits?a=1"\nshow = "chart-steps"\n'


def keys(app):
    """Of all that a step may frame on a page."""
    kinds = (
        "selectbox",
        "button_group",
        "number_input",
        "slider",
        "toggle",
        "text_input",
        "text_area",
        "button",
    )
    widgets = {widget.key for kind in kinds for widget in app.get(kind)}
    return widgets | {f"chart-{chart.key}" for chart in app.get("plotly_chart")} | set(tour.PLACES)


def framed(app):
    return [element.proto.body for element in app.get("html") if "outline" in element.proto.body]


def said(app):
    return "".join(app.query_params.get("tour", ""))


def test_next_and_back_lead_from_step_to_step_and_the_link_says_where(visit):
    first = next(number for number, step in enumerate(tour.steps(), 1) if step.page == "bits")
    app = visit("bits", tour=str(first))
    assert tour.steps()[first - 1].selector in framed(app)[0]
    app.button(key="binviz-next").click().run()
    assert said(app) == str(first + 1) and app.text_input(key="a").value == tour.steps()[first].values["a"]
    app.button(key="binviz-back").click().run()
    assert said(app) == str(first) and not app.warning
    app.button(key="binviz-leave").click().run()
    assert not said(app) and not framed(app)


def test_a_step_is_as_the_tour_says_whatever_was_chosen_before_and_a_projector_stays_one(visit):
    app = visit("bits", tour="4", a="1 1", w="1 1", big="true")
    app.button(key="binviz-again").click().run()
    assert app.text_input(key="a").value != "1 1" and app.toggle(key="big").value


@pytest.mark.parametrize(("show", "opened"), [("a", True), ("chart-steps", False)])
def test_on_a_projector_settings_are_open_where_a_widget_among_them_is_framed(
    visit, monkeypatch, show, opened
):
    step = tour.read(STEP.replace("chart-steps", show))
    monkeypatch.setattr(tour, "steps", lambda: step)
    app = visit("bits", tour="1", big="true")
    assert [each.proto.expanded for each in app.expander if each.label == "Settings"] == [opened]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(tour.steps()) + 1))
def test_every_step_shows_what_it_frames_and_the_page_has_nothing_to_complain_of(visit, number):
    step = tour.steps()[number - 1]
    app = visit(step.page, **step.values, tour=str(number))
    assert not app.exception and not app.error and not app.warning
    assert step.show in keys(app), sorted(keys(app))
    assert step.title in "".join(element.value for element in app.markdown)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no step"),
        ("[[step]", "cannot be read"),
        (STEP.replace("show", "shows"), "step 1 of tour.toml needs link, show, text, title"),
        (STEP + STEP.replace("bits", "bites"), "step 2 of tour.toml leads to 'bites'"),
    ],
)
def test_a_tour_that_cannot_be_followed_says_what_to_mend(text, said):
    with pytest.raises(UserError, match=said):
        tour.read(text)


def test_a_broken_tour_is_one_line_on_the_page(visit, monkeypatch):
    def broken():
        raise UserError("step 1 of tour.toml leads to 'bites'")

    monkeypatch.setattr(tour, "steps", broken)
    app: AppTest = visit("bits", tour="1")
    assert "leads to 'bites'" in app.error[0].value.replace("\\", "") and not app.exception
