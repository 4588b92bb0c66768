"""One test over all widgets: each one does something, and what it says is what is shown, linked and kept.

Of a long list of options the long set tries some, spread over it; with BINVIZ_WIDGETS=all in the environment it tries
every one, which takes an hour: BINVIZ_WIDGETS=all pytest -m slow -s tests/dashboard/test_widgets.py
"""

import json
import os
import sys

import pytest
from binviz_dashboard import launch
from binviz_dashboard.pages import PAGES
from streamlit.testing.v1 import AppTest

from binviz.plots import theme

pytestmark = pytest.mark.usefixtures("times_stand_still")

KINDS = ("selectbox", "button_group", "number_input", "slider", "toggle", "text_input", "text_area")
#: Of a list of options so many are tried in the long set.
SOME = sys.maxsize if os.environ.get("BINVIZ_WIDGETS") == "all" else 4


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
    """How many options were tried, and a line for each that does not do what it says.

    A thorough trial tries each widget in each view, where it was met before with a quarter of the options; and then the
    page anew and by its link.
    """
    tried, wrong, met = 0, [], set()
    for url in views(page):
        app = visit(page, url)
        assert not complaints(app), url
        for key in widgets(app):
            if key not in widgets(app) or (key in met and not thorough):
                continue
            some = max(1, most // 4) if key in met else most
            met.add(key)
            first = widgets(app)[key].value
            options = others(widgets(app)[key])
            for value in options[:: max(1, -(-len(options) // some))]:
                tried += 1
                try:
                    try_one(page, app, key, value, first, thorough)
                except AssertionError as error:
                    wrong.append(str(error).partition("\n")[0])
                    app = visit(page, url)
                    if key not in widgets(app):
                        break
            if key in widgets(app):
                widgets(app)[key].set_value(first).run()
    return tried, wrong


def try_one(page, app, key, value, first, thorough):
    before = shown(app)
    widgets(app)[key].set_value(value).run()
    where = f"{page}: {key}={value!r}, {dict(app.query_params)}"
    assert not complaints(app), f"{where}: {complaints(app)}"
    chosen = widgets(app)[key].value  # the value itself; options are as they are shown
    assert chosen != first if isinstance(value, str) else chosen == value, f"{where} shows {chosen!r}"
    assert shown(app) != before, f"{where} changes nothing"
    assert_no_wrong_colour(app, where)
    said = app.query_params.get(key)
    assert said is None or "".join(said) == written(chosen), f"{where}: the link says {said}"
    if thorough:
        all_chosen = values(app)
        assert values(app.run()) == all_chosen, f"{where}: a rerun changes it"
        again = visit(page, {name: "".join(text) for name, text in app.query_params.items()})
        assert not complaints(again), f"{where}: the link {complaints(again)}"
        assert values(again) == all_chosen, f"{where}: the link chooses something else"
        assert shown(again) == shown(app), f"{where}: the link shows something else"


def assert_no_wrong_colour(app, where):
    """A network's colour is for its tensors only; whose a trace shows stands in its meta."""
    for chart in app.get("plotly_chart"):
        for trace in json.loads(chart.proto.spec)["data"]:
            of = (trace.get("meta") or {}).get("network")
            colours = json.dumps([trace.get("marker"), trace.get("line"), trace.get("fillcolor")])
            if theme.FLOAT in colours:
                assert theme.NETWORKS.get(of or trace["name"]) == theme.FLOAT, f"{where}: {trace['name']}"
            if of is not None:
                assert (theme.BINARY if of == "float" else theme.FLOAT) not in colours, where


#: Many widgets, or figures that take seconds each: the long set alone tries them.
LONG = ("playground", "binarizers", "inside", "robustness", "tradeoffs", "evidence")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page not in LONG])
def test_every_widget_does_what_it_says(page):
    tried, wrong = try_all(page, most=1, thorough=False)
    assert tried and not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_widget_is_in_the_link_and_the_link_shows_it(page):
    tried, wrong = try_all(page, most=SOME, thorough=True)
    print(f"{page}: {tried} options, {len(wrong)} wrong")
    assert tried and not wrong, "\n".join(wrong)
