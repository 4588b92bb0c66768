import io
import json
import pickle

import numpy as np
import pytest
from binviz_dashboard import jobs, product, state

from binviz import UserError, binarizers


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def uploaded(visit, content):
    app = visit("binarizers", input="a file of your own")
    return app.file_uploader(key="file").upload("x.npy", content, "application/octet-stream").run()


def one_line(app):
    """The page's only complaint, of one line; the app must be alive."""
    assert not app.exception
    assert len(app.error) == 1
    line = app.error[0].value
    assert "\n" not in line
    return line.replace("\\", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy(np.array([1.0, np.nan])), "NaN or infinite"),
        (npy(np.float32(1)), "0 axes"),
        (pickle.dumps([1.0, 2.0]), "pickle"),
    ],
    ids=["nan", "0-d", "pickle"],
)
def test_an_upload_that_cannot_be_used(visit, content, said):
    """What else is wrong with files is told apart in tests/data/test_validate.py."""
    app = uploaded(visit, content)
    assert said in one_line(app)
    app.selectbox(key="input").set_value("normal").run()
    assert not app.error
    assert app.get("plotly_chart")


@pytest.mark.parametrize("shape", [(10_000,), (2, 3, 4, 5), (1,)], ids=str)
def test_an_upload_that_can(visit, shape):
    app = uploaded(visit, npy(np.random.default_rng(0).normal(size=shape).astype(np.float32)))
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 4


@pytest.mark.slow
@pytest.mark.parametrize("page", ["answers", "inside"])
def test_a_text_that_cannot_be_used(visit, page):
    app = visit(page, sentence="Write my own")
    for text, said in (("", "empty"), ("  ", "empty")):
        app.text_input(key="text").set_value(text).run()
        assert said in one_line(app)
    app.text_input(key="text").set_value("a good film").run()
    assert not app.error
    assert app.get("plotly_chart")
    app = visit(page, text="word " * 10_000)
    assert not app.exception and not app.error
    assert len(app.warning) == 1 and len(app.warning[0].value) < 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "url"),
    [
        ("answers", {"model": "nothing"}),
        ("answers", {"model": "digits-vit.bit-w1a1", "digit": "99999"}),
        ("binarizers", {"input": "nothing"}),
        ("binarizers", {"centre": "99"}),
        ("binarizers", {"binarizer": "bivit-attention", "bivit-attention.beta": "-4"}),
        ("bits", {"codes": "three"}),
        ("bits", {"part": "A row of a model", "linear": "layers.9.query"}),
        ("bits", {"part": "A row of a model", "row": "384"}),
        ("bits", {"part": "A row of a model", "token": "many"}),
        ("tradeoffs", {"rule": "nothing"}),
        ("tradeoffs", {"tokens": "1e99"}),
        ("evidence", {"run": "bit: nothing"}),
        ("playground", {"weight": "heavy"}),
        ("inside", {"view": "Distributions", "layer": "77"}),
        ("inside", {"view": "Distributions", "tensor": "layers.*.nothing"}),
        ("inside", {"place": "__class__"}),
        ("inside", {"view": "Attention", "head": "99"}),
        ("inside", {"view": "Residuals", "rank": "0"}),
        ("inside", {"view": "Signs", "model": "digits-cnn.xnor", "flipped": "51"}),
        ("inside", {"view": "Attention", "model": "digits-cnn.xnor"}),
        ("inside", {"model": "<script>alert(1)</script>"}),
        ("playground", {"no-such-setting": "1"}),
        ("playground", {"depth": "2.5"}),
        ("playground", {"noise": "nan"}),
        ("playground", {"weights.binarizer": "elastic-signed"}),
        ("playground", {"activations.width": "0"}),
        ("playground", {"data": "own", "points": "1_2_3"}),
        ("robustness", {"model": "words-minilm.bipft-a"}),
        ("robustness", {"severity": "6"}),
        ("robustness", {"pictures": "a dream"}),
        ("inside", {"view": "Attention", "model": "digits-vit.bivit-w1a1", "beta": "2"}),
    ],
    ids=lambda part: part if isinstance(part, str) else "-".join(part.values()),
)
def test_a_value_in_the_url_that_cannot_be_shown(visit, page, url):
    app = visit(page, **url)
    assert not app.exception and not app.error
    assert len(app.warning) == 1
    assert state.plain(list(url)[-1]) in app.warning[0].value
    assert list(url)[-1] not in app.query_params
    assert app.get("plotly_chart") or app.get("bidi_component")


def test_steps_without_end_in_the_url(visit):
    name = "bivit-attention"
    most = binarizers.described(type(binarizers.get(name)))["steps"].declared.high
    url = {"binarizer": name, f"{name}.method": "descent"}
    assert not visit("binarizers", **url, **{f"{name}.steps": str(most)}).warning
    app = visit("binarizers", **url, **{f"{name}.steps": "100000000"})
    assert len(app.warning) == 1 and app.get("plotly_chart")


def test_options_that_contradict_each_other_are_not_offered(visit):
    url = {"binarizer": "elastic-signed", "elastic-signed.bits": "2", "elastic-signed.init": "paper"}
    app = visit("binarizers", **url)
    assert not app.exception and not app.error
    assert "is no setting of what is shown here" in app.warning[0].value.replace("\\", "")
    code = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["meta"]["code"]
    assert "bits=2" in code and "init" not in code


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
def test_vectors_that_cannot_be_used(a, w, said):
    with pytest.raises(UserError, match=f"(?i){said}"):
        product.step(a, w, signed=True)


def test_a_page_goes_on_after_vectors_that_cannot_be_used(visit):
    app = visit("bits")
    app.text_input(key="a").set_value("<b>1</b>").run()
    app.text_input(key="w").set_value("1").run()
    assert "no number" in one_line(app)
    app.text_input(key="a").set_value("1 -1").run()
    app.text_input(key="w").set_value("1, 1").run()
    assert not app.error
    assert app.get("plotly_chart")


@pytest.mark.slow
def test_a_visitor_waits_while_another_one_measures_and_can_give_up(visit):
    app = visit("tradeoffs", part="Speed")
    with jobs._turn:
        app.button(key="measure").click().run()
        waiting = app.session_state["binviz"].jobs["measure last"]
        assert waiting.text == "Waiting for its turn"
        app.button(key="stop measure").click().run()
        assert waiting.done.wait(10)
    app.run()
    assert not app.exception and not app.error
    assert app.button(key="measure")


def test_a_job_ends_when_its_time_is_over_or_its_visitor_has_gone():
    def forever(tell):
        while True:
            tell(0.5, "still")

    late = jobs.Job("", forever, ceiling=0.05)
    late.run()
    assert late.done.is_set() and "the most that this may take" in late.error
    alone = jobs.Job("", forever, ceiling=60, wanted=lambda: False)
    alone.run()
    assert alone.done.is_set() and alone.error == "stopped"
