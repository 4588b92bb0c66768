"""Recorded runs by the questions that they answer: each claim of an experiment is one, whatever its tasks.

A new experiment's claims and runs appear here by themselves. Runs that no claim names stand under what their
experiment's module says it is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isnan
from pathlib import Path
from statistics import fmean

from binviz.evidence import names, papers, runs
from binviz.evidence.claims import Claim, Finding, judge
from binviz.evidence.headline import SHARES, chance, split_of
from binviz.evidence.noise import wilson
from binviz.evidence.papers import Published
from binviz.evidence.runs import Run
from binviz.experiments import registry
from binviz.words import counted

#: Row of a cell -> the published row whose setting it follows at a smaller size: model, bits.
PUBLISHED: dict[str, tuple[str, tuple[int, int, int]]] = {
    "float": ("BERT", (32, 32, 32)),
    "bibert": ("BiBERT", (1, 1, 1)),
    "bit-w1a1": ("BiT*", (1, 1, 1)),
    "bit-w1a1.two-step": ("BiT", (1, 1, 1)),
    "bit-w1a2": ("BiT*", (1, 1, 2)),
    "bit-w1a4": ("BiT*", (1, 1, 4)),
}
#: Experiments that have no module of their own -> what they are about.
CHAINS = "How the bundled models and their like were trained"


@dataclass(frozen=True)
class Side:
    """One side of a claim, or one run alone: its runs of all seeds, and what was published of it.

    name: of what was done. metric: key of `Run.metrics`. values: of each seed, in the order of the runs. low, high:
    95 % interval of a share over its examples, NaN of others. published: the paper's number, on the paper's own
    network, None where none is known.

    >>> Side("a", "accuracy", (), (0.5, 0.6)).mean
    0.55
    """

    name: str
    metric: str
    runs: tuple[Run, ...]
    values: tuple[float, ...]
    low: float = float("nan")
    high: float = float("nan")
    published: float | None = None
    paper: str = ""

    @property
    def mean(self) -> float:
        """Over seeds."""
        return fmean(self.values)


@dataclass(frozen=True)
class Question:
    """A question, and the runs that answer it.

    text: as it is asked. source: of the claim, "" where there is none. findings: one for each task; none where the
    runs answer no claim. runs: all of them, those of the claim's sides first. experiment: whose claim it is.
    """

    text: str
    source: str
    findings: tuple[Finding, ...]
    runs: tuple[Run, ...]
    experiment: str = ""


def questions(out: Path | None = None) -> list[Question]:
    """All questions of all experiments, in the order of `registry.NAMES` and of their claims, then those of runs
    that no claim names.

    Those of experiments without a record come after the others'.

    Args:
        out: folder of a user's own records, beside those that are shipped.

    >>> [question.text for question in questions()][:2]
    ['Two sets are better than one: is that so?', '{0, 1} for attention alone is better than one set: is that so?']
    """
    by_experiment: dict[str, list[Run]] = defaultdict(list)
    for run in runs.runs(out and out / "runs"):
        by_experiment[run.experiment].append(run)
    recorded = [name for name in registry.NAMES if name in by_experiment]
    asked: list[Question] = []
    others: dict[str, list[Run]] = defaultdict(list)
    for name in dict.fromkeys([*recorded, *by_experiment, *registry.NAMES]):
        found = by_experiment.get(name, [])
        known = registry.get(name) if name in registry.NAMES else None
        records = (known.bundled() if known else {}) | {(run.cell, run.seed): run for run in found}
        claims = known.claims if known else ()
        groups: dict[tuple[str, str], list[Claim]] = defaultdict(list)
        for claim in claims:
            groups[claim.text, claim.source].append(claim)
        for (text, source), group in groups.items():
            named = [cell for claim in group for cell in (claim.better, claim.worse)]
            sides = tuple(
                run for wanted in dict.fromkeys(named) for (cell, _), run in records.items() if cell == wanted
            )
            findings = tuple(judge(claim, records) for claim in group)
            asked.append(Question(f"{text}: is that so?", source, findings, sides, name))
        told = {cell for claim in claims for cell in (claim.better, claim.worse)}
        others[about(name)] += [run for run in found if run.cell not in told]
    return asked + [Question(text, "", (), tuple(rest)) for text, rest in others.items() if rest]


def about(experiment: str) -> str:
    """What the other runs of an experiment are about: the beginning of its module's docstring.

    >>> about("lengths"), about("digits") == CHAINS
    ('Where SST-2 students go wrong', True)
    """
    try:
        doc = import_module(f"binviz.experiments.{experiment}").__doc__ or ""
    except ModuleNotFoundError:
        return CHAINS
    first = doc.split("\n")[0].split(":")[0].split(" (")[0].rstrip(".")
    return f"{first}: further runs" if experiment in registry.NAMES else first


def answering(found: Sequence[Question], run: Run) -> list[Question]:
    """The questions to whose answer a run belongs."""
    return [question for question in found if run in question.runs]


def sides(finding: Finding, records: Mapping[tuple[str, int], Run]) -> tuple[Side, ...]:
    """Both sides of a claim with their runs, the better one first; fewer where records are missing or failed.

    Args:
        finding: of `judge`.
        records: (cell, seed) -> run.
    """
    cells = finding.claim.better, finding.claim.worse
    found = [[run for (name, _), run in records.items() if name == cell and not run.failed] for cell in cells]
    there = [each for each in found if each]
    told = names.short([each[0] for each in there])
    return tuple(side(each, finding.claim.metric, name) for each, name in zip(there, told, strict=True))


def side(found: Sequence[Run], metric: str, name: str) -> Side:
    """Runs of one cell with several seeds as one side.

    >>> one = side([runs.find("bit", "sst2.bit-w1a1", seed) for seed in (0, 1, 2)], "accuracy", "BiT")
    >>> [round(100 * value, 1) for value in (one.mean, one.low, one.high, one.published)], one.paper
    ([78.2, 75.3, 80.8, 87.7], 'BiT* with BERT-base')
    """
    having = [run for run in found if metric in run.metrics]
    values = tuple(run.metrics[metric] for run in having)
    low, high = float("nan"), float("nan")
    if metric == "accuracy" and values and having[0].examples:
        low, high = wilson(fmean(values), having[0].examples)
    row = published(having[0]) if having else None
    split = split_of(having[0]) if having else None
    if row is None or split is None or papers.PRINTED.get(split.task) != metric:
        return Side(name, metric, tuple(having), values, low, high)
    return Side(
        name,
        metric,
        tuple(having),
        values,
        low,
        high,
        row.scores[split.task] / 100,
        f"{row.model} with BERT-base",
    )


def published(run: Run) -> Published | None:
    """The published row whose setting a run of "bit" follows on a smaller network; None where there is none.

    >>> published(runs.find("bit", "rte.bit-w1a1.two-step")).scores["rte"]
    62.1
    """
    known = PUBLISHED.get(run.cell.partition(".")[2]) if run.experiment == "bit" else None
    rows = (row for row in papers.glue() if not row.augmentation and (row.model, row.bits) == known)
    return next(rows, None)


def chance_of(found: Sequence[Side]) -> float | None:
    """The chance level of what the sides were judged on; None where it is not known."""
    run = next((run for each in found for run in each.runs), None)
    return chance(found[0].metric, split_of(run)) if run else None


def in_words(finding: Finding) -> str:
    """A verdict in one sentence, with the difference and how sure it is.

    >>> found = Finding(Claim("a beats b", "", "a", "b"), "weak", 0.02, 0.2, 1, "right or wrong", 0.034, -0.01, 0.05)
    >>> in_words(found)
    'Weak: +2.0 points (95 % between -1.0 and +5.0), 1 seed; 3.4 points would have been seen.'
    """
    failed = f" ({', '.join(finding.failed)} failed)" if finding.failed else ""
    if not finding.seeds:
        return f"Not run{failed}."
    share = finding.claim.metric in SHARES
    unit, factor = ("points", 100.0) if share else (finding.claim.metric, 1.0)
    form = "+.1f" if share else "+.3g"
    verdict = finding.verdict.capitalize()
    if finding.doubt:
        verdict += f", {finding.doubt}"
    said = f"{verdict}: {factor * finding.difference:{form}} {unit}"
    if not isnan(finding.low):
        said += f" (95 % between {factor * finding.low:{form}} and {factor * finding.high:{form}})"
    said += f", {counted(finding.seeds, 'seed')}"
    if finding.verdict != "holds" and finding.by == "right or wrong" and not finding.claim.margin:
        said += f"; {100 * finding.seen:.1f} points would have been seen"
    return f"{said}{failed}."
