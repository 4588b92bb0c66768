import pytest
from binviz_dashboard import cache, recorded, subject

from binviz import zoo
from binviz.evidence import runs


def test_models_and_runs_lead_to_one_another():
    for name in zoo.names():
        assert recorded.model_of(recorded.run_of(name)) == name
    assert recorded.model_of(runs.find("bit", "sst2.bit-w1a1")) is None
    assert recorded.default() == recorded.run_of(next(iter(subject.subjects())))


def test_keys_of_runs_are_unique_and_old_links_lead_to_them():
    found = list(runs.runs())
    assert len({recorded.key(run) for run in found}) == len(found)
    for title, run in recorded.titles(found).items():
        assert recorded.old_key(title) == recorded.key(run)


def test_columns_are_named_as_the_runs_are():
    first, second = runs.find("bit", "sst2.bit-w1a1"), runs.find("bit", "sst2.bibert")
    table = recorded.differences(first, second)
    assert list(table.columns) == [
        "setting",
        "BiT in one step from the float model",
        "BiBERT with its direction-matching loss",
    ]
    assert "loss.name" in set(table["setting"])


def test_a_run_says_what_it_has():
    moving, plain = runs.find("bit", "sst2.bit-w1a1"), recorded.default()
    assert "flips of" in recorded.has(moving) and "Not on record" not in recorded.has(moving)
    assert "its loss" in recorded.has(plain) and "Not on record: accuracy, flips" in recorded.has(plain)
    assert (
        recorded.has(runs.find("padding", "sst2.bit-w1a1.untrained"))
        == "Nothing of how it went is on record."
    )


def test_numbers_begin_with_the_task_s_own_metric():
    assert list(recorded.numbers(runs.find("bit", "cola.float")))[:2] == ["Matthews correlation", "accuracy"]
    assert recorded.numbers(runs.find("bit", "mrpc.float"))["F1"].endswith(" %")


@pytest.mark.parametrize("index", [0, 12])
def test_a_claim_is_drawn_with_both_sides(index):
    question = cache.questions()[index]
    records = {(run.cell, run.seed): run for run in question.runs}
    for finding in question.findings:
        if finding.verdict == "not run":
            continue
        alt = recorded.claim_figure(finding, records).layout.meta["alt"]
        assert alt.startswith("Accuracy in %: ") and alt.count("95 % between") == 2 and "chance is" in alt
    nobody = question.findings[0]
    assert recorded.claim_figure(nobody, {}) is None
