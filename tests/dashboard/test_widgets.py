"""One test over all widgets: each one does something, and what it says is what is shown, linked and kept."""

import json

import pytest
from binviz_dashboard import launch, speed
from binviz_dashboard.pages import PAGES
from streamlit.testing.v1 import AppTest

from binviz.bench.pair import Timed
from binviz.bench.timing import Spread
from binviz.plots import theme

KINDS = ("selectbox", "button_group", "number_input", "slider", "toggle", "text_input", "text_area")
#: Of a long list of options so many are tried in the long set, spread over it.
SOME = 8


def widgets(app):
    return {widget.key: widget for kind in KINDS for widget in app.get(kind)}


def others(widget):
    """Values that the widget does not show now."""
    if widget.type == "selectbox":  # options are as they are shown, its value is not
        values = [option for index, option in enumerate(widget.options) if index != widget.index]
    elif widget.type == "button_group":
        values = list(widget.options)
    elif widget.type in ("number_input", "slider"):
        values = [
            type(widget.value)(value) for value in (widget.min, widget.max, (widget.min + widget.max) / 2)
        ]
    elif widget.type == "toggle":
        values = [not widget.value]
    else:
        first, *rest = widget.value.split(" ")
        values = [" ".join([f"-{first}".replace("--", ""), *rest])]
    return [value for value in values if value != widget.value]


def shown(app):
    """All figures, numbers and sentences of a page."""
    said = [
        element.value
        for kind in ("markdown", "caption", "info", "latex", "metric")
        for element in app.get(kind)
    ]
    tables = [table.value.to_csv() for table in app.dataframe]
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")], said, tables


def values(app):
    return {key: widget.value for key, widget in widgets(app).items()}


def written(value):
    """A value as it stands in the URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def complaints(app):
    return [element.value for kind in ("exception", "error", "warning") for element in app.get(kind)]


def visit(page, url=None):
    app = AppTest.from_file(str(launch.APP), default_timeout=600)
    app.query_params.update(url or {})
    return app.switch_page(f"views/{page}.py").run()


def views(page):
    """The links to a page with each option of the widgets that decide what else it shows."""
    app = visit(page)
    groups = [
        widget
        for widget in app.get("button_group")
        if widget.key in ("view", "part", "kind", "error", "moved")
    ]
    return [{group.key: option} for group in groups for option in group.options] or [{}]


def try_all(page, most, thorough):
    """Try widgets in every view of a page; a thorough trial each in each, and then the page anew and by its link."""
    met = set()
    for url in views(page):
        app = visit(page, url)
        assert not complaints(app), url
        for key in widgets(app):
            if key not in widgets(app) or key in met:
                continue
            if not thorough:
                met.add(key)
            first = widgets(app)[key].value
            tried = others(widgets(app)[key])
            for value in tried[:: max(1, -(-len(tried) // most))]:
                before = shown(app)
                widgets(app)[key].set_value(value).run()
                where = f"{page}: {key}={value!r}, {dict(app.query_params)}"
                assert not complaints(app), where
                chosen = widgets(app)[key].value  # the value itself; options are as they are shown
                assert chosen != first if isinstance(value, str) else chosen == value, where
                assert shown(app) != before, f"{where} changes nothing"
                assert_no_wrong_colour(app, where)
                said = app.query_params.get(key)
                assert said is None or "".join(said) == written(chosen), where
                if thorough:
                    all_chosen = values(app)
                    assert values(app.run()) == all_chosen, f"{where}: a rerun changes it"
                    again = visit(page, {name: "".join(text) for name, text in app.query_params.items()})
                    assert not complaints(again), where
                    assert values(again) == all_chosen, f"{where}: the link shows something else"
                    assert shown(again) == shown(app), f"{where}: the link shows something else"
            widgets(app)[key].set_value(first).run()


def assert_no_wrong_colour(app, where):
    """A network's colour is for its tensors only; whose a trace shows stands in its meta."""
    for chart in app.get("plotly_chart"):
        for trace in json.loads(chart.proto.spec)["data"]:
            of = (trace.get("meta") or {}).get("network")
            colours = json.dumps([trace.get("marker"), trace.get("line"), trace.get("fillcolor")])
            if of is not None:
                assert (theme.BINARY if of == "float" else theme.FLOAT) not in colours, where


@pytest.fixture(autouse=True)
def times_stand_still(monkeypatch):
    """What is measured at every look is no answer to a widget."""
    spread = Spread(0.02, 0.02, 0.02)
    timed = Timed(spread, spread, Spread(1.0, 1.0, 1.0), True, "nothing was measured", 1, "noon")
    monkeypatch.setattr(speed, "measure_pair", lambda *given: timed)


@pytest.mark.parametrize("page", PAGES)
def test_every_widget_does_what_it_says(page):
    try_all(page, most=1, thorough=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_widget_is_in_the_link_and_the_link_shows_it(page):
    try_all(page, most=SOME, thorough=True)
