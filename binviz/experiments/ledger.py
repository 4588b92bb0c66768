"""The ledger: every claim with what its paper printed, what was measured here, and how sure that is.

Several claims are asked at once, so beside the p of each stands Holm's (`binviz.evidence.noise.holm`), over those of
the list that is shown. A claim that stands on another one says nothing where that one fails. What nothing was run for
comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite, isnan
from typing import Any, get_args

import numpy as np

from binviz.errors import UserError, near
from binviz.evidence import names
from binviz.evidence.claims import Claim, Finding, Verdict
from binviz.evidence.headline import SHARES
from binviz.evidence.noise import LEVEL, holm
from binviz.evidence.runs import Run, each_example
from binviz.experiments import registry
from binviz.experiments.questions import Question, Side, sides
from binviz.experiments.report import would_be_seen
from binviz.words import counted

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
#: Who has an example right, in the order in which they are told.
BOTH, BETTER, WORSE, NEITHER = "both", "only the first", "only the second", "neither"


@dataclass(frozen=True)
class Entry:
    """A claim on one task, and what became of it.

    experiment: whose. task: on which it is asked. finding: of `judge`. sides: the better one first, fewer where runs
    are missing. theirs: the difference that was printed, None where none is known; where: on which network and data.
    gap: how the setting here differs from the paper's. minutes: of one core, for the runs of both sides. fallen: the
    texts of the claims that it stands on and that fail. corrected: Holm's p over the list it is in, NaN without a test.
    """

    experiment: str
    task: str
    finding: Finding
    sides: tuple[Side, ...]
    theirs: float | None
    where: str
    gap: str
    minutes: float
    fallen: tuple[str, ...] = ()
    corrected: float = float("nan")

    @property
    def claim(self) -> Claim:
        return self.finding.claim

    @property
    def paper(self) -> str:
        """What the claim's paper is called after, or "asked here"."""
        return names.paper(self.claim.source)

    @property
    def key(self) -> str:
        """What stands for it in a link; no other has it."""
        margin = f"/{self.claim.margin:g}" if self.claim.margin else ""
        return f"{self.experiment}/{self.claim.better}/{self.claim.worse}{margin}"

    @property
    def tested(self) -> bool:
        """Whether its verdict is that of a test, at the level that Holm's p is compared with."""
        return isfinite(self.finding.p) and not (self.claim.equal and self.finding.verdict == "holds")

    @property
    def after(self) -> str:
        """The verdict in words, with what becomes of it where many claims are asked.

        >>> found = Finding(Claim("a beats b", "", "a", "b"), "holds", 0.02, 0.03)
        >>> Entry("own", "SST-2", found, (), None, "", "", 0.0, corrected=0.2).after
        'holds, not after Holm'
        """
        finding, said = self.finding, str(self.finding.verdict)
        if finding.failed:
            said += f" ({', '.join(finding.failed)} failed)"
        if self.fallen:
            return f"{said}, premise fails"
        if finding.doubt:
            return f"{said}, {finding.doubt}"
        if self.tested and finding.p < LEVEL <= self.corrected:
            return f"{said}, not after Holm"
        return said

    def commands(self) -> list[str]:
        """What runs both sides once more, with the next seed that no record has."""
        seeds = [run.seed for side in self.sides for run in side.runs]
        seed = max(seeds, default=-1) + 1
        cells = dict.fromkeys((self.claim.better, self.claim.worse))
        return [f"binviz reproduce {self.experiment} --cell '{cell}' --seed {seed}" for cell in cells]

    def runs(self, seed: int) -> tuple[Run, Run] | None:
        """Both sides with a seed, the better one first; None where one is missing."""
        found = {run.cell: run for side in self.sides for run in side.runs if run.seed == seed}
        if not {self.claim.better, self.claim.worse} <= set(found):
            return None
        return found[self.claim.better], found[self.claim.worse]

    @property
    def seeds(self) -> list[int]:
        """Those that both sides have."""
        return [
            seed for seed in sorted({r.seed for side in self.sides for r in side.runs}) if self.runs(seed)
        ]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what is not known is None."""
        finding = {name: value for name, value in asdict(self.finding).items() if name != "claim"}
        values = {
            "experiment": self.experiment,
            "task": self.task,
            "paper": self.paper,
            "inequality": self.claim.inequality,
            **asdict(self.claim),
            "theirs": self.theirs,
            "where": self.where,
            "gap": self.gap,
            **finding,
            "p_holm": self.corrected,
            "fallen": self.fallen,
            "core_minutes": round(self.minutes, 1),
            "commands": self.commands(),
        }
        return {
            name: None if isinstance(value, float) and isnan(value) else value
            for name, value in values.items()
        }


def ledger(asked: Sequence[Question]) -> list[Entry]:
    """An entry for each claim, those that something was run for first, with Holm's p over all.

    Args:
        asked: of `questions`, which judged them.

    >>> from binviz.experiments.questions import questions
    >>> found = ledger(questions())
    >>> found[0].paper, found[0].task, found[0].claim.text
    ('BiT', 'SST-2', 'Two sets are better than one')
    """
    found = [_entry(question, finding) for question in asked for finding in question.findings]
    found = [replace(entry, fallen=tuple(fallen)) for entry, fallen in _fallen(found)]
    return corrected(sorted(found, key=lambda entry: entry.finding.verdict == "not run"))


def corrected(entries: Sequence[Entry]) -> list[Entry]:
    """The same with Holm's p over this list."""
    adjusted = holm([entry.finding.p if entry.tested else float("nan") for entry in entries])
    return [replace(entry, corrected=p) for entry, p in zip(entries, adjusted, strict=True)]


def chosen(entries: Sequence[Entry], paper: str = "", verdict: str = "") -> list[Entry]:
    """Those of a paper, or with a verdict, with Holm's p over what is left.

    Args:
        entries: of `ledger`.
        paper: what it is called after, or its number on arXiv, in any case of letters; "" for all.
        verdict: one of `VERDICTS`; "" for all.

    Raises:
        UserError: no claim is of that paper, or there is no such verdict.
    """
    papers = list(dict.fromkeys(entry.paper for entry in entries))
    number = {value.casefold(): name for name, value in names.PAPERS.items()}
    wanted = paper.strip().casefold()
    if wanted and wanted not in {each.casefold() for each in papers} | set(number.values()):
        raise UserError(f"no claim is of a paper {paper!r}; {near(paper, papers)}")
    if verdict and verdict not in VERDICTS:
        raise UserError(f"no verdict {verdict!r}; choose one of: {', '.join(VERDICTS)}")
    return corrected(
        [
            entry
            for entry in entries
            if wanted in ("", entry.paper.casefold(), number.get(entry.paper.casefold()))
            and verdict in ("", entry.finding.verdict)
        ]
    )


def who_is_right(pair: tuple[Run, Run]) -> dict[str, list[int]] | None:
    """Numbers of the examples that both, one of the two, or neither has right, from 0 in the order of the split.

    None where the records hold no bit for each example, or were made on other ones.

    >>> first, second = (Run("e", bits, 0, {}, "", {}, {}, 1.0, bits, examples=4) for bits in ("03", "05"))
    >>> who_is_right((first, second))
    {'both': [0], 'only the first': [1], 'only the second': [2], 'neither': [3]}
    """
    first, second = map(each_example, pair)
    if first is None or second is None or first.dtype != bool or second.dtype != bool:
        return None
    if first.shape != second.shape:
        return None
    groups = {
        BOTH: first & second,
        BETTER: first & ~second,
        WORSE: ~first & second,
        NEITHER: ~first & ~second,
    }
    return {name: np.flatnonzero(those).tolist() for name, those in groups.items()}


def farthest_ahead(pair: tuple[Run, Run], most: int) -> tuple[list[int], list[int]] | None:
    """Numbers of the examples on which the first is farthest ahead, and the second, by their scores.

    None where the records hold no score for each example, or were made on other ones.

    >>> from binviz.evidence.runs import of_examples
    >>> scores = ([0.5, 0.1, 0.3, 0.4], [0.2, 0.3, 0.3, 0.3])
    >>> pair = tuple(Run("e", "c", 0, {}, "", {}, {}, 1.0, **of_examples(np.array(each))) for each in scores)
    >>> farthest_ahead(pair, 2)
    ([0, 3], [1])
    """
    first, second = map(each_example, pair)
    if first is None or second is None or first.dtype == bool or first.shape != second.shape:
        return None
    lead = first - second.astype(float)
    order = np.argsort(-lead, kind="stable")
    ahead, behind = order[lead[order] > 0], order[::-1][lead[order[::-1]] < 0]
    return ahead[:most].tolist(), behind[:most].tolist()


def amount(value: float | None, claim: Claim, points: bool = True) -> str:
    """A difference for reading, in points where the metric is a share; "" where it is not known.

    >>> amount(0.0312, Claim("", "", "a", "b")), amount(0.0312, Claim("", "", "a", "b", metric="matthews"))
    ('+3.1 points', '+0.031')
    """
    if value is None or isnan(value):
        return ""
    if claim.metric in SHARES:
        return f"{100 * value:+.1f}{' points' * points}"
    return f"{value:+.3f}"


def interval(entry: Entry) -> str:
    """The 95 % interval of the difference for reading, "" where there is none."""
    low, high = (amount(each, entry.claim, points=False) for each in (entry.finding.low, entry.finding.high))
    return f"{low} to {high}" if low else ""


def probability(p: float) -> str:
    """A p for reading, "" where there was no test.

    >>> probability(0.03), probability(1e-7), probability(float("nan"))
    ('0.03', '<0.0001', '')
    """
    return "" if isnan(p) else "<0.0001" if p < 1e-4 else f"{p:.2g}"


def summary(entries: Sequence[Entry]) -> str:
    """How many of each verdict, in a sentence.

    >>> summary([])
    '0 claims: none was run.'
    """
    verdicts = [entry.finding.verdict for entry in entries]
    told = [
        f"{verdicts.count(verdict)} {words}"
        for verdict, words in zip(VERDICTS, ("hold", "weak", "fail", "not run"), strict=True)
        if verdict in verdicts
    ]
    return f"{counted(len(entries), 'claim')}: {', '.join(told) or 'none was run'}."


def verdicts(entries: Sequence[Entry], paper: str) -> list[Verdict]:
    """Those on the claims of a paper, which is named as `Entry.paper` is."""
    return [entry.finding.verdict for entry in entries if entry.paper == paper]


def held(entries: Sequence[Entry], paper: str) -> str:
    """How many of a paper's claims hold, in words; "" where none is asked.

    >>> held([], "BiT")
    ''
    """
    found = verdicts(entries, paper)
    run = [verdict for verdict in found if verdict != "not run"]
    if not run:
        return f"{counted(len(found), 'claim')}, not run" if found else ""
    waiting = len(found) - len(run)
    said = f"{run.count('holds')} of {counted(len(run), 'claim')} hold here"
    return said + (f", {waiting} not run" if waiting else "")


def correction(entries: Sequence[Entry]) -> str:
    """Over which tests Holm's p is taken, in a sentence."""
    tests = sum(entry.tested for entry in entries)
    return (
        f"Holm's correction is over the {counted(tests, 'test')} of this list, at {100 * LEVEL:.0f} %; a claim of "
        "“at least as good” that is true of the measured values needs none."
    )


def table(entries: Sequence[Entry]) -> str:
    """The list as text, two lines a claim and those without a run last."""
    lines, last = [], None
    for entry in entries:
        if (entry.finding.verdict == "not run") and last != "not run":
            lines.append("\nNothing was run for these:")
        last, finding = entry.finding.verdict, entry.finding
        told = [entry.after, entry.task, *([amount(finding.difference, entry.claim)] * bool(finding.seeds))]
        if within := interval(entry):
            told[-1] += f" ({within})"
        if entry.theirs is not None:
            told.append(f"theirs {amount(entry.theirs, entry.claim)}")
        if p := probability(finding.p):
            told.append(f"p {p}" + (f", Holm {probability(entry.corrected)}" if entry.tested else ""))
        if finding.seeds:
            told += [would_be_seen(finding), counted(finding.seeds, "seed"), f"{entry.minutes:.0f} min"]
        source = ", ".join(dict.fromkeys((entry.paper, entry.claim.source)))
        lines += ["; ".join(told), f"    {entry.claim.text} ({source})"]
    return "\n".join([*lines, "", summary(entries), correction(entries)])


def _entry(question: Question, finding: Finding) -> Entry:
    claim = finding.claim
    records = {(run.cell, run.seed): run for run in question.runs}
    found = sides(finding, records)
    theirs, where = claim.theirs, claim.where
    if theirs is None and len(found) == 2 and claim.source != "asked here":
        better, worse = (side.published for side in found)
        if better is not None and worse is not None:
            theirs, where = better - worse, "; ".join(dict.fromkeys(side.paper for side in found))
    used = {run.path: run for side in found for run in side.runs}.values()
    run = next(iter(used), None)
    task = names.task(run) if run else _task(claim)
    minutes = sum(each.seconds * each.machine.get("threads", 1) for each in used) / 60
    return Entry(question.experiment, task, finding, found, theirs, where, _gap(question), minutes)


def _gap(question: Question) -> str:
    return "" if question.source == "asked here" else registry.get(question.experiment).gap


def _task(claim: Claim) -> str:
    """The task of a cell that was not run, with its architecture, from its name."""
    task, _, architecture = claim.better.split(".")[0].partition("-")
    return ", ".join(filter(None, (names.TASKS.get(task, task), names.network_title(architecture))))


def _fallen(entries: Sequence[Entry]) -> list[tuple[Entry, list[str]]]:
    """Each with the claims that it stands on and that fail, or that stand on one that does."""

    def fallen(entry: Entry, above: tuple[str, ...] = ()) -> list[str]:
        found = []
        for text in entry.claim.needs:
            same = [e for e in entries if e.experiment == entry.experiment and e.claim.text == text]
            below = [each for each in same if each.task == entry.task] or same
            for each in below:
                if each.key not in above and (
                    each.finding.verdict == "fails" or fallen(each, (*above, each.key))
                ):
                    found.append(text)
        return list(dict.fromkeys(found))

    return [(entry, fallen(entry)) for entry in entries]
