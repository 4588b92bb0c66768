"""Claims with everything that is known of them, and the command that prints them."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from typer.testing import CliRunner

from binviz import cli
from binviz.errors import UserError
from binviz.evidence.claims import Claim, judge
from binviz.evidence.runs import Run, of_examples
from binviz.experiments import ledger, registry
from binviz.experiments.questions import questions


@pytest.fixture(scope="module")
def entries():
    return ledger.ledger(questions())


def test_every_declared_claim_is_there_once_and_those_without_a_run_are_last(entries):
    assert len({entry.key for entry in entries}) == len(entries)
    assert {entry.claim for entry in entries} == {
        claim for name in registry.NAMES for claim in registry.get(name).claims
    }
    run = [entry.finding.verdict != "not run" for entry in entries]
    assert run == sorted(run, reverse=True) and True in run


def test_every_claim_has_its_day_and_stands_on_claims_that_there_are(entries):
    texts = {(entry.experiment, entry.claim.text) for entry in entries}
    for entry in entries:
        assert date.fromisoformat(entry.claim.written)
        assert all((entry.experiment, text) in texts for text in entry.claim.needs), entry.key
        assert entry.claim.text not in entry.claim.needs
        for change in entry.claim.history:
            assert date.fromisoformat(change.partition(":")[0]) >= date.fromisoformat(entry.claim.written)


def test_what_was_printed_stands_beside_what_was_measured(entries):
    found = {(entry.task, entry.claim.text): entry for entry in entries}
    # 89.9 - 88.7 of the GLUE tables; 58.66 - 40.52 and 70.73 - 68.71 of BiViT's tables 2 and 5
    assert found["SST-2", "BiT is better than BiBERT"].theirs == pytest.approx(0.012)
    vit = {entry.claim.text: entry for entry in entries if entry.experiment == "bivit"}
    assert vit["BiViT is better than BiT"].theirs == pytest.approx(0.1814)
    assert vit["Softmax's own gradient is better than one to the scores"].theirs == pytest.approx(0.0202)
    # MRPC's printed metric is not known
    assert found["MRPC", "BiT is better than BiBERT"].theirs is None


def test_who_is_right_adds_up_to_the_difference(entries):
    entry = next(e for e in entries if e.seeds == [0] and e.finding.by == "right or wrong")
    groups = ledger.who_is_right(entry.runs(0))
    numbers = sorted(number for those in groups.values() for number in those)
    assert numbers == list(range(entry.runs(0)[0].examples))
    ahead = len(groups[ledger.BETTER]) - len(groups[ledger.WORSE])
    assert ahead / len(numbers) == pytest.approx(entry.finding.difference)


def test_holms_p_is_over_the_list_that_is_shown(entries):
    few = ledger.chosen(entries, "bit", "weak")
    assert few and {(e.paper, e.finding.verdict) for e in few} == {("BiT", "weak")}
    tested = [e for e in few if e.tested]
    assert min(e.corrected for e in tested) == pytest.approx(
        min(1.0, len(tested) * min(e.finding.p for e in tested))
    )
    by_number, by_name = (ledger.chosen(entries, paper) for paper in ("2205.13016", "BiT"))
    assert [e.key for e in by_number] == [e.key for e in by_name] != []


def run(cell, right, experiment="own"):
    values = np.arange(100) < right
    return Run(experiment, cell, 0, {}, "", {}, {"accuracy": right / 100}, 60.0, **of_examples(values))


def test_a_claim_that_stands_on_one_that_fails_says_nothing():
    records = {(cell, 0): run(cell, right) for cell, right in (("t.a", 80), ("t.b", 60), ("t.c", 50))}
    first = Claim("b beats a", "asked here", "t.b", "t.a")
    claims = [
        Claim("a beats c", "asked here", "t.a", "t.c", needs=("c is not in the way",)),
        Claim("c is not in the way", "asked here", "t.b", "t.c", needs=("b beats a",)),
        first,
        Claim("a beats b", "asked here", "t.a", "t.b"),
    ]
    made = [ledger.Entry("own", "t", judge(claim, records), (), None, "", "", 0.0) for claim in claims]
    fallen = [texts for _, texts in ledger._fallen(made)]
    assert fallen == [["c is not in the way"], ["b beats a"], [], []]
    assert made[2].finding.verdict == "fails"
    assert replace(made[0], fallen=("c is not in the way",)).after == "holds, premise fails"


def test_claims_without_a_run_stand_last_under_one_heading():
    records = {(cell, 0): run(cell, right) for cell, right in (("t.a", 80), ("t.b", 60))}
    claims = [Claim("a beats b", "asked here", "t.a", "t.b")]
    claims += [Claim(f"a beats {name}", "asked here", "t.a", f"t.{name}") for name in ("c", "d")]
    made = [ledger.Entry("own", "t", judge(claim, records), (), None, "", "", 0.0) for claim in claims]
    lines = ledger.table(made).splitlines()
    heading = lines.index("Nothing was run for these:")
    assert [i for i, line in enumerate(lines) if line.startswith("not run")] == [heading + 1, heading + 3]
    assert lines[-2] == "3 claims: 1 hold, 2 not run."


@pytest.fixture
def read_once(entries, monkeypatch):
    """The command finds the ledger that is there already."""
    monkeypatch.setattr(ledger, "ledger", lambda asked: entries)
    monkeypatch.setattr("binviz.experiments.questions.questions", lambda out: [])


def test_the_command_prints_a_list_or_everything(read_once):
    said = CliRunner().invoke(cli.app, ["claims", "--paper", "bivit"])
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert any("(BiViT, 2211.07091, table 2)" in line for line in lines)
    assert any("would be seen" in line and "theirs +18.1 points" in line for line in lines)
    assert "Holm" in lines[-1]
    found = json.loads(CliRunner().invoke(cli.app, ["claims", "--verdict", "weak", "--json"]).output)
    assert found and all(each["verdict"] == "weak" and each["seen"] is not None for each in found)
    assert all(each["commands"][0].startswith("binviz reproduce ") for each in found)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--paper", "BiTT"], "no claim is of a paper 'BiTT'; did you mean 'BiT'?"),
        (["--verdict", "true"], "no verdict 'true'; choose one of: holds, weak, fails, not run"),
    ],
)
def test_an_unknown_name_is_one_line(read_once, words, line):
    said = CliRunner().invoke(cli.app, ["claims", *words])
    assert isinstance(said.exception, UserError) and str(said.exception) == line
