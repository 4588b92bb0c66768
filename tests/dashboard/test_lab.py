"""The lab's arithmetic: one error, its own scale and threshold, where learning starts and ends, two side by side."""

import functools

import numpy as np
import pytest
import torch
from binviz_dashboard import lab, lab_code
from binviz_dashboard.lab import Lab

from binviz import binarizers, plots

CARDS = [(kind, name) for kind, names in lab.kinds().items() for name in names]
VARIANTS = [
    Lab("bivit-attention", (("scale", True),)),
    Lab("bivit-attention", (("method", "descent"), ("scale", True))),
    Lab("bivit-attention", (("beta", 0.4),)),
    Lab("xnor-weight", (("centre", True),)),
    Lab("bit-weight", (("per_row", True),)),
    Lab("elastic-signed", (("learn_shift", True),), (("alpha", 0.7), ("beta", 0.5))),
    Lab("elastic-unsigned", (("bits", 2), ("subtract_min", True))),
    Lab("reactnet-activation", by_hand=(("threshold", 1.0),)),
    Lab("recu-weight", by_hand=(("scale", 2.0),), progress=1.0, learnt=True),
    *[Lab(name) for name in binarizers.names()],
]


def natural(name, kind=""):
    chosen = lab.natural_input(name, kind)
    return 0.04 * lab.draw("normal", 0.1, 1.0, 0) if chosen == lab.WEIGHTS else lab.draw(chosen, 0.0, 1.0, 0)


@functools.cache
def measured(chosen, kind=""):
    """On what it is made for. Several tests ask for the same, and learning takes long."""
    return lab.measure(chosen, natural(chosen.name, kind))


def error_of(x, y):
    return 100 * np.square(x - y, dtype=np.float64).sum() / np.square(x, dtype=np.float64).sum()


@pytest.mark.slow
@pytest.mark.parametrize("learnt", [False, True], ids=["start", "learnt"])
@pytest.mark.parametrize("chosen", VARIANTS, ids=str)
def test_every_mark_and_every_curve_says_the_one_error(chosen, learnt):
    chosen = Lab(chosen.name, chosen.options, chosen.by_hand, chosen.progress, learnt or chosen.learnt)
    x = natural(chosen.name)
    found, binarizer = measured(chosen), chosen.make(torch.from_numpy(x))
    with torch.no_grad():
        assert found.error == pytest.approx(error_of(x, binarizer(torch.from_numpy(x)).numpy()), rel=1e-4)
    assert found.scale.used == 1 and found.scale.used_error == found.error
    assert found.error in found.scale.errors and found.scale.values[0] < 1 < found.scale.values[-1]
    if found.threshold is not None:
        assert found.threshold.used_error == found.error
        at = found.threshold.values.index(found.threshold.used)
        assert found.threshold.errors[at] == pytest.approx(found.error, rel=1e-6)
        assert all(found.threshold_of)
    assert f"{found.error:.3g}" in lab.explain(chosen, found) or f"{found.error:,.0f}" in lab.explain(
        chosen, found
    )


@pytest.mark.parametrize(
    ("chosen", "of", "used"),
    [
        (Lab("bnn"), ("threshold", "value"), 0.0),
        (Lab("xnor-weight"), ("threshold", "value"), 0.0),
        (Lab("bibert-weight"), ("threshold", "value less its row's mean"), 0.0),
        (Lab("row-threshold"), ("threshold", "part of its row's maximum"), 0.5),
        (Lab("bivit-attention", (("beta", 0.3),)), ("threshold", "part of its row's maximum"), 0.3),
        (Lab("reactnet-activation"), ("threshold", "added to x"), 0.0),
        (Lab("reactnet-activation", by_hand=(("threshold", 1.0),)), ("threshold", "added to x"), 1.0),
        (Lab("elastic-signed", (("learn_shift", True),), (("beta", -0.5),)), ("beta", "added to x"), -0.5),
    ],
    ids=str,
)
def test_a_threshold_stands_in_the_sign_of_its_formula(chosen, of, used):
    found = measured(chosen)
    assert (found.threshold_of, found.threshold.used) == (of, used)


@pytest.mark.parametrize(
    "chosen",
    [
        Lab("bivit-attention", (("method", "descent"),)),
        Lab("elastic-signed", (("bits", 2),)),
        Lab("elastic-unsigned", (("bits", 4),)),
    ],
    ids=str,
)
def test_none_is_invented_where_there_are_several(chosen):
    assert measured(chosen).threshold is None


def test_a_threshold_moves_codes_and_keeps_levels():
    x = lab.draw("normal", 0.2, 1.0, 0)
    moved = lab.measure(Lab("reactnet-activation", by_hand=(("threshold", 0.75),)), x).error
    sweep = lab.measure(Lab("reactnet-activation"), x).threshold
    assert np.interp(0.75, sweep.values, sweep.errors) == pytest.approx(moved, rel=1e-2)
    assert abs(sweep.best) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("learnt", [False, True], ids=["start", "learnt"])
@pytest.mark.parametrize("name", binarizers.names())
def test_by_hand_begins_where_it_stands(name, learnt):
    for options in ((), (("learn_shift", True),)) if name.startswith("elastic") else ((),):
        x = natural(name)
        start = Lab(name, options, learnt=learnt)
        still = Lab(name, options, tuple((h.name, h.start) for h in lab.handles(start, x)), learnt=learnt)
        with torch.no_grad():
            ours, theirs = (each.make(torch.from_numpy(x))(torch.from_numpy(x)) for each in (start, still))
        assert torch.equal(ours, theirs)
        for handle in lab.handles(start, x):
            assert handle.low < handle.start < handle.high
            other = Lab(name, options, ((handle.name, handle.high),), learnt=learnt)
            assert measured(other).error != measured(start).error, handle


#: Its scale is in units of the row's deviation, which the norm behind the layer takes out.
OTHER_UNITS = {"ir-net-weight"}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [card for card in CARDS if card[1] not in OTHER_UNITS])
def test_on_what_it_is_made_for_learning_beats_answering_zero(kind, name):
    chosen = Lab(name)
    start, learnt = measured(chosen, kind), measured(Lab(name, learnt=True), kind)
    assert learnt.error < 75
    assert learnt.error <= start.error * (1 + 1e-6)
    assert (
        (learnt.error < start.error * (1 - 1e-6))
        or not chosen.learns
        or start.scale.best == pytest.approx(1, abs=0.1)
    )
    assert 0.9 < learnt.scale.best < 1.1


def test_cards_hold_every_binarizer_that_one_chooses():
    assert {name for _, name in CARDS} == set(binarizers.names()) - {"stored"}
    assert set(lab.NATURAL.values()) <= {*lab.DISTRIBUTIONS, lab.WEIGHTS}


def test_lsqs_start_explains_itself():
    x = lab.draw("normal", 0.0, 1.0, 0)
    said = lab.explain(Lab("elastic-signed"), lab.measure(Lab("elastic-signed"), x))
    assert "as wrong as answering zero" in said and "starts at 2 times the best" in said
    attention = lab.draw("softmax rows", 0.0, 1.0, 0)
    said = lab.explain(Lab("bivit-attention"), lab.measure(Lab("bivit-attention"), attention))
    assert "more wrong than answering zero" in said and "one factor behind it" in said


def test_softmax_takes_no_notice_of_a_centre():
    assert "softmax rows" not in lab.CENTRED
    assert (lab.draw("softmax rows", 3.0, 1.0, 0) == lab.draw("softmax rows", 0.0, 1.0, 0)).all()
    for name in lab.CENTRED:
        assert (lab.draw(name, 1.0, 1.0, 0) != lab.draw(name, 0.0, 1.0, 0)).any(), name


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for _, name in CARDS])
def test_every_option_that_is_offered_is_taken_and_shows(name):
    """By itself, at a value other than its default, each changes some figure or number; a shift gives a handle."""
    x = lab.draw("softmax rows" if "attention" in name else "normal", 0.3, 2.0, 0)
    plain = lab.measure(Lab(name), x)
    for option in lab.options(name):
        for value in option.choices or (
            () if not isinstance(option.default, bool) else (not option.default,)
        ):
            if value == option.default:
                continue
            chosen = Lab(name, ((option.name, value),))
            found = lab.measure(chosen, x)
            handles = len(lab.handles(chosen, x)) != len(lab.handles(Lab(name), x))
            assert handles or found.error != plain.error or found.codes != plain.codes, option


def test_the_curve_of_a_weight_scaled_by_its_tensor_has_the_levels_of_the_tensor():
    x = natural("bit-weight") * np.linspace(0.5, 2, 128, dtype=np.float32)[:, None]
    found = lab.measure(Lab("bit-weight"), x)
    assert np.abs(found.output) == pytest.approx(np.abs(x).mean(), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", VARIANTS[:9], ids=str)
def test_its_code_draws_the_same_figures(chosen):
    source = lab_code.source_of_distribution("softmax rows", 0.0, 1.0, 0)
    found = lab.measure(chosen, lab.draw("softmax rows", 0.0, 1.0, 0))
    figures = {
        "curves": plots.curves(found.grid, {chosen.name: found.output}, {chosen.name: found.slope}),
        "scale": plots.error_curve(found.scale, "scale", "times its own"),
    }
    if found.threshold is not None:
        figures["threshold"] = plots.error_curve(found.threshold, *found.threshold_of)
    for name, figure in figures.items():
        namespace = {}
        exec(lab_code.source_code(chosen, source, name, found.threshold_of), namespace)
        for ours, theirs in zip(namespace["figure"].data, figure.data, strict=True):
            np.testing.assert_allclose(
                np.asarray(ours.x, float), np.asarray(theirs.x, float), rtol=1e-3, atol=1e-6
            )
            np.testing.assert_allclose(
                np.asarray(ours.y, float), np.asarray(theirs.y, float), rtol=1e-3, atol=1e-6
            )


def test_two_beside_one_another_keep_their_numbers():
    x = lab.draw("normal", 0.0, 1.0, 0)
    chosen = [Lab("bnn"), Lab("elastic-signed"), Lab("elastic-signed", learnt=True)]
    measured = [lab.measure(each, x) for each in chosen]
    found = lab.compare(chosen, measured)
    assert list(found.outputs) == ["bnn", "elastic-signed", "elastic-signed (2)"] == list(found.slopes)
    assert [row["error (%)"] for row in found.rows] == [each.error for each in measured]
    assert found.rows[1]["scale"] == "one for all, learned" and found.rows[0]["codes"] == "-1, +1"
    namespace = {}
    source = lab_code.source_of_distribution("normal", 0.0, 1.0, 0)
    exec(lab_code.source_of_comparison(chosen, source), namespace)
    drawn = plots.curves(found.grid, found.outputs, found.slopes)
    for ours, theirs in zip(namespace["figure"].data, drawn.data, strict=True):
        np.testing.assert_allclose(
            np.asarray(ours.y, float), np.asarray(theirs.y, float), rtol=1e-4, atol=1e-6
        )
