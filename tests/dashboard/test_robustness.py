"""The page Robustness, one's own picture, and what Inside's attention gained: against the numbers behind them."""

import doctest
import io
import json

import numpy as np
import pytest
import torch
from binviz_dashboard import looks, own, robust, state, subject
from PIL import Image

from binviz import UserError, analysis, plots, tasks, zoo
from binviz.data.corruptions import NAMES, TYPOS, corrupt
from binviz.evidence import robustness as records

VIT, BIVIT = "digits-vit.bit-w1a1", "digits-vit.bivit-w1a1"
DIGITS = tasks.get("digits")


def png(array, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("module", [looks, own, robust], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_curves_are_the_records():
    of = subject.of(VIT)
    pair, known = robust.recorded(of), records.records()
    assert (pair.floats, pair.bits) == (known["digits-vit.float"], known[VIT])
    figure = plots.robustness(robust.curves(pair), 100 * pair.floats.chance, 3)
    assert [trace.meta["network"] for trace in figure.data] == ["float", "1-bit"] * 15
    foggy = [trace.y for trace in figure.data if trace.customdata[0][0] == "fog"]
    assert list(foggy[1]) == pytest.approx([100 * share for share in known[VIT].accuracy("fog")], abs=0.01)
    said = robust.in_words(pair)
    assert f"to {100 * known[VIT].mean:.1f} %" in said and "of 75 places" in said
    assert "Recorded on" in robust.about(pair, live=False) and "±4.6" in robust.about(pair, live=False)
    made = {}
    exec(robust.code_of_curves(of, live=False, severity=3, columns=5), made)
    assert made["figure"].layout.meta["alt"] == figure.layout.meta["alt"]


def test_pairs_that_can_be_corrupted_are_offered_pictures_first():
    shown = [each.task.shows for each in robust.subjects().values()]
    assert len(shown) == len(subject.subjects()) and shown == sorted(shown)


def test_a_followed_picture_is_the_one_that_was_counted():
    raw, labels = DIGITS.pictures.held_out()
    models = zoo.load("digits-cnn.float"), zoo.load("digits-cnn.xnor")
    found = robust.follow(raw[5:6], 5, 4, DIGITS.pictures, models)
    assert [each.title for each in found][:2] == ["clean", "Gaussian noise"] and len(found) == 16
    for name, each in zip(NAMES, found[1:], strict=True):
        spoilt = corrupt(raw[4:6], name, 4, first=4)[1]
        assert np.array_equal(each.raw, spoilt)
        with torch.no_grad():
            inputs = DIGITS.pictures.read(spoilt[None])
            assert [each.floats, each.bits] == [int(model(**inputs).logits.argmax()) for model in models]
    truth = DIGITS.labels[labels[5]]
    right = sum(DIGITS.labels[each.floats] == truth for each in found[1:])
    assert robust.still_right(found, DIGITS.labels, truth).startswith(
        f"Right are the float one on {right} of 15"
    )


def test_a_text_is_followed_with_the_changed_words_in_bold(visit):
    name, written = "sst2-minilm.bit-w1a1", "a *gorgeous* film of its kind"
    app = visit("robustness", model=name, text=written, severity="5")
    assert not app.exception and not app.error and not app.warning
    shown = [each.value for each in app.markdown]
    assert "### What is left of an answer among typing errors?" in shown
    for corruption in TYPOS.known:
        after = TYPOS.corrupt(np.array([[written]], object), corruption, 5)[0, 0]
        words = zip(written.split(), after.split(), strict=True)
        marked = [state.plain(word) if word == old else f"**{state.plain(word)}**" for old, word in words]
        assert " ".join(marked) in shown
    assert any("neighbouring key" in each.value and "float" in each.value for each in app.caption)


def test_the_page_asks_about_what_it_shows(visit):
    def asked(app):
        assert not app.exception
        (question,) = [each.value for each in app.markdown if each.value.startswith("### ")]
        return "fog" in question

    # A text is what comes first on that page, so that it does not follow to this one
    app = visit("answers").switch_page("views/robustness.py").run()
    assert asked(app) and app.selectbox(key="model").value.startswith("digits")
    assert not asked(app.selectbox(key="model").set_value("sst2-minilm.bit-w1a1").run())


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (300, 200, 3), (31, 64, 4)], ids=str)
def test_ones_own_picture_becomes_as_small_as_the_tasks(shape):
    content = png(np.full(shape, 90, np.uint8))
    example = own.example(DIGITS, content, "mine.png")
    assert example.picture.shape == (8, 8) and example.picture.dtype == np.uint8 and example.truth is None
    assert example.inputs["pixel_values"].shape == (1, 1, 8, 8)
    assert zoo.load("digits-cnn.float")(**example.inputs).logits.shape == (1, 10)


def test_a_held_out_digit_as_a_file_is_read_as_it_is():
    raw, _ = DIGITS.pictures.held_out()
    example = own.example(DIGITS, png(raw[3]), "digit.png")
    assert torch.equal(example.inputs["pixel_values"], DIGITS.example(3, "", None).inputs["pixel_values"])


def test_a_text_called_a_picture_is_one_line(visit):
    with pytest.raises(UserError, match="not a picture"):
        own.example(DIGITS, b"a text", "a.png")
    app = visit("robustness", pictures=own.FILE)
    assert not app.exception and not app.error and app.info
    app.file_uploader(key="photo").upload("a.png", b"a text", "image/png").run()
    assert len(app.error) == 1 and "not a picture" in app.error[0].value and not app.exception
    app.file_uploader(key="photo").upload(
        "b.png", png(np.full((40, 30, 3), 255, np.uint8)), "image/png"
    ).run()
    assert not app.error and not app.exception and app.get("plotly_chart")


def test_the_threshold_of_bivit_moves_its_ones_and_no_weight():
    model, example = zoo.load(BIVIT), DIGITS.example(7, BIVIT, None)
    changed = looks.with_beta(model, 0.6)
    assert all(map(torch.equal, model.state_dict().values(), changed.state_dict().values()))
    before, after = (analysis.attention(each, example.inputs) for each in (model, changed))
    probs = after.layers[2].probs
    assert np.array_equal(after.layers[2].codes, probs >= np.float32(0.6) * probs.max(-1, keepdims=True))
    (ones, kept), (fewer, less) = looks.summary(before), looks.summary(after)
    assert 1 <= fewer < ones and 0 < less < kept <= 1
    assert np.array_equal(analysis.attention(model, example.inputs).layers[0].codes, before.layers[0].codes)


def test_entropy_and_ones_are_of_the_same_rows():
    found = analysis.attention(zoo.load(BIVIT), DIGITS.example(7, BIVIT, None).inputs)
    entropy, ones, keys = looks.rows(found, 1)
    assert list(entropy) == list(ones) == ["0", "1", "2", "3"] and keys == 17
    row = found.map(1, 2).probs[5].astype(float)
    assert entropy["2"][5] == pytest.approx(-sum(p * np.log2(p) for p in row if p > 0))
    assert ones["2"][5] == (row >= 0.25 * row.max()).sum()


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


@pytest.mark.slow
def test_another_threshold_is_in_the_code_of_every_figure(visit):
    app = visit("inside", view="Attention", model=BIVIT, beta="0.5", query="1,2")
    assert not app.exception and not app.warning and len(charts(app)) == 4
    assert any(each.value.startswith("At β = 0.5 in every layer") for each in app.markdown)
    for chart in charts(app):
        assert "looks.with_beta" in chart["layout"]["meta"]["code"]
        made = {}
        exec(chart["layout"]["meta"]["code"], made)
        assert made["figure"].layout.meta["alt"] == chart["layout"]["meta"]["alt"]
    assert not visit("inside", view="Attention", model=VIT).get("slider")
