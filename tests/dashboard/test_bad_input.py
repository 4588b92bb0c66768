import io
import json
import pickle

import numpy as np
import pytest
from binviz_dashboard import speed


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def uploaded(visit, content):
    app = visit("lab", input="a file of your own")
    return app.file_uploader(key="file").upload("x.npy", content, "application/octet-stream").run()


def one_line(app):
    """The page's only complaint, of one line; the app must be alive."""
    assert not app.exception
    assert len(app.error) == 1
    line = app.error[0].value
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy(np.array([1.0, np.nan])), "NaN or infinite"),
        (npy(np.array([1.0, -np.inf])), "NaN or infinite"),
        (npy(np.arange(4)), "astype"),
        (npy(np.float32(1)), "0 axes"),
        (npy(np.zeros((1, 1, 1, 1, 2))), "5 axes"),
        (npy(np.zeros((0, 3))), "no values"),
        (pickle.dumps([1.0, 2.0]), "pickle"),
        (b"", "empty"),
        (b"hello", "not a .npy file"),
    ],
    ids=["nan", "infinite", "integer", "0-d", "5-d", "no-values", "pickle", "empty", "text"],
)
def test_an_upload_that_cannot_be_used(visit, content, said):
    app = uploaded(visit, content)
    assert said in one_line(app)
    app.selectbox(key="input").set_value("normal").run()
    assert not app.error
    assert app.get("plotly_chart")


@pytest.mark.parametrize("shape", [(10_000,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (1,)], ids=str)
def test_an_upload_that_can(visit, shape):
    app = uploaded(visit, npy(np.random.default_rng(0).normal(size=shape).astype(np.float32)))
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 4


@pytest.mark.parametrize("page", ["start", "activations", "errors", "attention"])
def test_a_text_that_cannot_be_used(visit, page):
    app = visit(page, sentence="Write my own")
    for text, said in (("", "empty"), (" \n ", "empty"), ("word " * 10_000, "10,000 words")):
        app.text_area(key="text").set_value(text).run()
        assert said in one_line(app)
    app.text_area(key="text").set_value("a good film").run()
    assert not app.error
    assert app.get("plotly_chart")


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ("start", {"model": "nothing"}),
        ("start", {"model": "sst2-minilm.no-such-recipe"}),
        ("lab", {"binarizer": "nothing"}),
        ("lab", {"input": "nothing"}),
        ("bits", {"codes": "three"}),
        ("bits", {"part": "Costs", "network": "GPT-9"}),
        ("bits", {"part": "Costs", "rule": "nothing"}),
        ("bits", {"part": "A row of a model", "linear": "layers.9.query"}),
        ("training", {"run": "bit: nothing"}),
        ("training", {"beside": "everything"}),
        ("training", {"part": "Live on the digits", "weight": "heavy"}),
        ("activations", {"layer": "77"}),
        ("activations", {"tensor": "layers.*.nothing"}),
        ("errors", {"layer": "-1"}),
        ("errors", {"measure": "beauty"}),
        ("attention", {"layer": "one"}),
        ("attention", {"head": "99"}),
        ("attention", {"model": "<script>alert(1)</script>"}),
    ],
    ids=lambda part: part if isinstance(part, str) else list(part)[-1],
)
def test_a_name_in_the_url_that_does_not_exist(visit, page, url):
    app = visit(page, **url)
    assert not app.exception
    assert [warning.value for warning in app.warning if list(url.values())[-1] in warning.value]
    assert len(app.warning) == 1
    assert app.get("plotly_chart")


def test_options_that_contradict_each_other_are_not_offered(visit):
    app = visit(
        "lab", **{"binarizer": "elastic-signed", "elastic-signed.bits": "2", "elastic-signed.init": "paper"}
    )
    assert not app.exception and not app.error
    code = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["meta"]["code"]
    assert "bits=2" in code and "init" not in code


def test_a_number_of_a_picture_that_does_not_exist(visit):
    app = visit("start", model="digits-vit.bit-w1a1", digit="99999")
    assert not app.exception
    assert app.get("plotly_chart")


@pytest.mark.parametrize(
    ("a", "w", "said"),
    [
        ("", "1", "list a is empty"),
        ("1 2", "1", "list a has 2 numbers and list w has 1"),
        ("1 x", "1 2", "no number"),
        ("1 nan", "1 2", "finite"),
        ("1 " * 17, "1 " * 17, "at most 16"),
        ("<b>1</b>", "1", "no number"),
    ],
    ids=["empty", "lengths", "word", "nan", "many", "markup"],
)
def test_vectors_that_cannot_be_used(visit, a, w, said):
    app = visit("bits")
    app.text_input(key="a").set_value(a).run()
    app.text_input(key="w").set_value(w).run()
    assert said in one_line(app).lower()
    app.text_input(key="a").set_value("1 -1").run()
    app.text_input(key="w").set_value("1, 1").run()
    assert not app.error
    assert app.get("plotly_chart")


@pytest.mark.parametrize(
    "url",
    [{"row": "-1"}, {"row": "384"}, {"token": "many"}, {"part": "nothing"}],
    ids=lambda url: "=".join(*url.items()),
)
def test_numbers_and_parts_that_do_not_exist(visit, url):
    app = visit("bits", **({"part": "A row of a model"} | url))
    assert not app.exception and not app.error
    assert app.get("plotly_chart")


def test_a_visitor_is_told_that_another_one_measures(visit, monkeypatch):
    app = visit("bits", part="Speed")
    with speed._turn:
        app.button(key="measure").click().run()
    assert "somebody else is measuring" in one_line(app).lower()
