"""What the page Inside computes, on the smallest bundled models."""

import doctest
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from binviz_dashboard import activations, attributed, bits_away, inside, subject
from binviz_dashboard.attributed import Asked
from binviz_dashboard.bits_away import Away

from binviz import analysis, plots, tasks, zoo
from binviz.analysis import Margin

VIT = "digits-vit.bit-w1a1"


@pytest.fixture(scope="module", params=[VIT, "digits-cnn.bibert"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def example(name):
    return tasks.of_model(name).example(7, name, None)


@pytest.fixture(scope="module")
def pair(name):
    return zoo.load(subject.of(name).teacher.name), zoo.load(name)


@pytest.fixture(scope="module")
def seen(pair, example):
    return [analysis.capture(model, example.inputs) for model in pair]


def same(figure, code):
    """Whether the code draws the figure."""
    namespace = {}
    exec(code, namespace)
    drawn = namespace["figure"]
    assert [trace.name for trace in drawn.data] == [trace.name for trace in figure.data]
    assert drawn.layout.meta["alt"] == figure.layout.meta["alt"]


def test_examples_in_docstrings():
    assert doctest.testmod(inside, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_all_layers_share_an_axis_and_no_value_is_lost(seen, name, example):
    names = next(names for names in activations.in_both(*seen).values() if len(names) > 2)
    both = inside.side_by_side(*seen, names)
    assert len({(part.edges[0], part.edges[-1]) for parts in both for part in parts}) == 1
    for captured, parts in zip(seen, both, strict=True):
        assert [sum(part.counts) for part in parts] == [captured.flat(each).size for each in names]
    figure = plots.activations([activations.short(each) for each in names], *both)
    same(figure, inside.code_of_distributions(partial(subject.of(name).code, example), names))


def test_a_place_says_who_reads_it(seen, name, example):
    code = partial(subject.of(name).code, example)
    for tensor in [names[-1] for names in activations.in_both(*seen).values()]:
        found = inside.place(*seen, tensor)
        own = tensor.removesuffix(".in")
        assert (own in found.readers) or f"{own}.pre" not in seen[1] or not tensor.endswith(".in")
        assert (found.after is None) is (found.codes is None) is (found.readers == [])
        if found.reader is None:
            assert "No binarizer reads" in found.said
        else:
            assert all(each in found.said for each in found.readers)
            assert sum(found.codes.values()) == sum(found.after.counts) == sum(found.before.counts)
    figure = plots.before_after(found.before, found.after, found.codes, found.teacher, inside.ROWS)
    same(figure, inside.code_of_place(code, tensor, found.reader))


def test_every_error_has_one_cell(pair, name, example):
    table = analysis.errors(*pair, example.inputs)
    for (kind, view), rows in table.groupby(["kind", "view"]):
        grid = inside.grid(table, kind, view, "cosine")
        cells = dict(zip(np.ravel(grid.names), np.ravel(grid.values), strict=True))
        cells.pop("", None)
        assert cells == dict(zip(rows["name"], rows["cosine"], strict=True))
    figure = plots.network(*inside.grid(table, "layer", "local", "cosine"), **inside.as_arguments("cosine"))
    same(
        figure,
        inside.code_of_network(partial(subject.of(name).code, example), "layer", "local", "cosine"),
    )


def test_causes_of_a_layer(pair, name, example):
    table = analysis.causes(*pair, example.inputs)
    layer = int(table["layer"].max())
    found = inside.causes_of(table, layer, "relative error")
    assert tuple(found.errors) == analysis.CAUSES
    assert len(found.places) == len(found.errors["all"]) == (table["layer"] == layer).sum() / 5
    figure = plots.causes(
        found.places, found.errors, names=found.names, **inside.as_arguments("relative error")
    )
    code = inside.code_of_causes(partial(subject.of(name).code, example), layer, "relative error")
    same(figure, code)
    assert ("ffn_act" in inside.swapped(table, layer)) is (name == VIT)


@pytest.mark.slow
def test_attention_in_words_and_figures():
    example = tasks.of_model(VIT).example(7, VIT, None)
    code = partial(subject.of(VIT).code, example)
    teacher, student = (analysis.attention(zoo.load(each), example.inputs) for each in subject.of(VIT).pair)
    steps, one = analysis.steps(teacher, student), student.map(2, 1)
    said = inside.steps_said(one, steps, 2, 1)
    assert f"agree with the teacher's by {steps.agreement[2, 1]:.2f}" in said
    assert f"keep {100 * steps.mass_kept[2, 1]:.3g} %" in said
    assert "Its threshold lies between" in said and "A one counts as" in said
    labels = activations.labels(student, example)
    figure = plots.attention(
        labels, teacher.map(2, 1).probs, one.probs, one.codes, steps.agreement[2, 1], steps.mass_kept[2, 1], 4
    )
    same(figure, inside.code_of_head(code, labels, 2, 1, reads_text=False))
    for which in inside.VIEWS:
        maps, what, codes = inside.view(teacher, student, which)
        assert maps.shape == (4, 4, 17, 17)
        same(
            plots.model_view(maps, what, inside.notes(steps), codes),
            inside.code_of_model_view(code, which, reads_text=False),
        )
    found = inside.patches(teacher.map(2, 1), one, position=6)
    assert found.query == (1, 1)
    assert found.before[1, 2] == one.probs[6, 1 + 4 + 2]
    assert found.class_token == (teacher.map(2, 1).probs[6, 0], one.probs[6, 0], one.codes[6, 0])
    figure = plots.patch_attention(example.picture, *found)
    same(figure, inside.code_of_patches(code, example.picture_code, 2, 1, 6))


def test_sensitivity_counts_answers_that_stay():
    network, binary = zoo.load("digits-cnn.float"), zoo.load("digits-cnn.bibert")
    inputs = [tasks.get("digits").example(i, "", None).inputs for i in range(8)]
    told = []
    table = inside.sensitivity(
        network, binary.binviz_recipe, inputs, tell=lambda *told_of: told.append(told_of)
    )
    assert table["score"][0] == 1 and table.attrs["examples"] == 8
    assert table["name"].iloc[[0, -1]].tolist() == ["float", "all"]
    assert [text for _, text in told] == table["name"].tolist()
    assert all(0 <= share < 1 for share, _ in told)
    figure = inside.sensitivity_figure(table, classes=10)
    assert [each[0] for each in figure.data[0].customdata] == table["name"].tolist()[1:]
    cut = inside.sensitivity(network, binary.binviz_recipe, inputs, stop=lambda: True)
    assert len(cut) == 1 and cut.attrs["stopped"]


@pytest.mark.slow
def test_inputs_of_different_lengths_answer_as_they_do_alone():
    name = "sst2-minilm.float"
    tokenizer = tasks.of_model(name).tokenizer(name)
    inputs = [tasks.of_model(name).example(i, name, tokenizer).inputs for i in (0, 50)]
    model = zoo.load(name).eval()
    with torch.no_grad():
        together = model(**inside.joined(inputs)).logits
        alone = torch.cat([model(**each).logits for each in inputs])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_what_is_added_to_an_answer_says_what_is_missing(name, pair, example):
    reference, _ = attributed.nothing(subject.of(name), example, None, "white")
    target = int(example.truth)
    gradients, absent = (
        [attributed.attribute(model, example, reference, asked) for model in pair]
        for asked in (Asked(attributed.GRADIENTS, target, 8), Asked(attributed.ABLATION, target, 1))
    )
    said = attributed.completeness(*gradients)
    assert f"{gradients[1].total:.2f} of {gradients[1].difference:.2f}" in said
    assert "rank correlation" in attributed.agreement(gradients, absent)
    assert gradients[0].difference == absent[0].difference
    told, steps = [], attributed.STEPS[:2]
    curve = attributed.curve(pair, example, reference, target, lambda *given: told.append(given), steps)
    assert [len(values) for values in curve.values()] == [2, 2] and len(told) == 4
    assert attributed.curve_figure(curve, steps).layout.meta["alt"]


def test_margins_in_words_and_beside_what_is_found_in_every_layer():
    labels = ("a", "b", "c")
    none = np.zeros((0, 2), int)
    sure, between = Margin(0, 1, 4, 4, none), Margin(0, 2, 2, 3, none)
    away = Away("fc", 64, [sure, between])
    assert (
        bits_away.in_words(away, labels)
        == "The answer is a. 3 of the 64 bits here turn it into c; 2 are needed at least."
    )
    assert "stays" in bits_away.in_words(Away("fc", 64, [Margin(0, 1, None, None, none)]), labels)
    found = pd.DataFrame({"layer": ["first", "fc"], "weights": [10, 64], "enough": [5.0, 9.0]})
    names, flips, needed = bits_away.layers(found, away)
    assert (names, flips, needed[1]) == (["first", "fc"], [5.0, 3.0], 2.0) and np.isnan(needed[0])
    assert plots.margins(names, flips, needed).layout.meta["alt"].endswith("first at most 5; fc 2 to 3.")
