import pytest
from binviz_dashboard import speed
from binviz_kernels import forms

from binviz.bench import records, roofline
from binviz.bench.timing import Spread


def contest(rows, limit):
    steady, second = Spread(limit, 0.99 * limit, 1.01 * limit), Spread(1.0, 1.0, 1.0)
    seconds, floats = {"binviz": second, "float32": second}, Spread(1e11, 1e11, 1e11)
    return roofline.Contest(rows, 768, 768, seconds, {"float32": Spread(20.0, 19.0, 21.0)}, steady, floats)


def test_what_was_disturbed_claims_nothing():
    seen = speed.Race(contest(128, 2e12), [contest(1, 1e12)], 2e10, "a machine")
    assert seen.disturbed
    assert speed.times(seen) == {} and speed.ratios(seen)[1] == {}
    assert speed.explanation(seen) == speed.DISTURBED and "%" not in speed.DISTURBED


def test_no_share_of_a_limit_is_more_than_all_of_it():
    seen = speed.Race(contest(128, 1.0), [], 2e10, "a machine")  # far more operations than the "limit"
    assert "no less than this core's limit" in speed.times(seen)["1-bit layer, packing included"][1]


def test_a_race_knows_its_question():
    seen = speed.Race(contest(8, 2e12), [], 2e10, "a machine")
    assert seen.answers("768 → 768", 8)
    assert not seen.answers("768 → 768", 1) and not seen.answers("768 → 3072", 8)


@pytest.mark.parametrize("form", speed.ARITHMETIC)
def test_the_explanation_is_of_the_form_that_ran(form):
    seen = speed.Race(contest(128, 2e12), [], 2e10, "a machine", form)
    said = speed.explanation(seen)
    assert ("looked up" in said) == forms.FORMS[form].tables
    assert ("XOR" in said) != forms.FORMS[form].tables
    assert f"kernels: {form}" in said


def test_every_form_that_multiplies_single_bits_is_explained():
    several = {forms.for_bits(bits).name for bits in range(2, 8)} | {"avx512vbmi"}
    assert set(forms.FORMS) - set(speed.ARITHMETIC) <= several
    assert forms.CHOSEN.name in speed.ARITHMETIC


def test_recorded_races_are_what_the_records_say():
    shipped, found = records.shipped(), speed.recorded_races()
    assert set(found) == set(shipped)
    for name, races in found.items():
        layers = {
            (each["rows"], each["inputs"], each["outputs"]): each
            for each in shipped[name]["layers"]
            if each["threads"] == 1
        }
        assert races
        for (layer, rows), race in races.items():
            assert race.answers(layer, rows) and race.recorded and not race.disturbed
            wanted = layers[rows, *speed.LAYERS[layer]]
            assert race.chosen.ratio["float32"].median == wanted["ratio"]["float32"]["median"]
            assert race.machine.startswith(shipped[name]["machine"]["cpu"]) and "recorded on" in race.where
            assert "this core's limits" not in speed.ratios(race)[0]
            assert set(speed.points(race)[1]) == {"1-bit"} and "Recorded on" in speed.explanation(race)
