"""What the page Robustness computes and says; no Streamlit here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from binviz import tasks, zoo
from binviz.data.corruptions import ALL
from binviz.evidence import robustness as records
from binviz.evidence.robustness import Robustness
from binviz.experiments.robustness import measure as measure_all
from binviz.tasks import Kind
from binviz.tasks.corrupted import kind_of
from binviz.words import counted, percent
from binviz_dashboard import subject
from binviz_dashboard.subject import Subject


class Pair(NamedTuple):
    """Of a float model and of its 1-bit partner."""

    floats: Robustness
    bits: Robustness


def subjects() -> dict[str, Subject]:
    """The bundled pairs whose inputs can be corrupted; those with pictures first.

    >>> list(subjects())[-1]
    'sst2-minilm.bit-w1a1'
    """
    found = [each for each in subject.subjects().values() if each.task.kind is not None]
    return {each.name: each for each in sorted(found, key=lambda each: each.task.pictures is None)}


def question(of: Subject | None) -> tuple[str, str]:
    """What the page asks of such inputs, and one thing to try there; of pictures where it shows what it does at first.

    >>> question(subject.of("sst2-minilm.bit-w1a1"))[0]
    'What is left of an answer among typing errors?'
    """
    if of is not None and of.task.pictures is None:
        return (
            "What is left of an answer among typing errors?",
            "swapped letters at severity 5: which words turn the answer round?",
        )
    return (
        "What is left of an answer in fog, blur and noise?",
        "contrast at severity 2: which of the two loses more?",
    )


def recorded(of: Subject) -> Pair | None:
    """What is on record of both; None where one is missing.

    >>> recorded(subject.of("digits-vit.bit-w1a1")).floats.examples
    450
    """
    known = records.records()
    return Pair(*(known[name] for name in of.pair)) if set(of.pair) <= set(known) else None


def measure(of: Subject, tell: Callable[[float, str], None]) -> Pair:
    """Both, measured here on models of their own."""
    found = measure_all({name: zoo.load(name) for name in of.pair}, of.task, tell=tell)
    return Pair(*(found[name] for name in of.pair))


def curves(pair: Pair) -> dict[str, dict[str, list[float]]]:
    """Arguments of `plots.robustness`."""
    return {
        ALL[name].title: {
            "float": [100 * share for share in pair.floats.accuracy(name)],
            "1-bit": [100 * share for share in pair.bits.accuracy(name)],
        }
        for name in pair.floats.right
    }


def code_of_curves(of: Subject, live: bool, severity: int, columns: int) -> str:
    """Python that draws them."""
    names = ", ".join(map(repr, of.pair))
    made = (
        f"models = {{name: binviz.load(name) for name in ({names})}}\n"
        f"found = measure(models, tasks.get({of.task.name!r}))\n"
        if live
        else "found = records()\n"
    )
    return (
        "import binviz\nfrom binviz import plots, tasks\nfrom binviz.evidence.robustness import records\n"
        "from binviz.experiments.robustness import measure\nfrom binviz_dashboard import robust\n\n"
        f"{made}pair = robust.Pair(*(found[name] for name in ({names})))\n"
        f"figure = plots.robustness(robust.curves(pair), 100 * pair.floats.chance, {severity}, {columns})\n"
    )


def in_words(pair: Pair) -> str:
    """What corruption costs both, and where most and least.

    >>> floats = Robustness("a", "", "t", {}, 10, 0.1, 0, 10, {"fog": [9, 9, 8, 8, 6], "frost": [9] * 5}, 1.0)
    >>> bits = Robustness("b", "", "t", {}, 10, 0.1, 0, 9, {"fog": [8, 7, 5, 2, 1], "frost": [8] * 5}, 1.0)
    >>> in_words(Pair(floats, bits)).split(". ")[0]
    'Corruption costs the float network 15.0 points, of 100 % to 85.0 %, and the 1-bit one 27.0, of 90.0 % to 63.0 %'
    """
    clean = [each.clean / each.examples for each in pair]
    lost = [100 * (before - each.mean) for before, each in zip(clean, pair, strict=True)]
    ahead = sum(
        bits > floats
        for name in pair.floats.right
        for floats, bits in zip(pair.floats.right[name], pair.bits.right[name], strict=True)
    )
    gap = {
        name: float(np.mean(pair.floats.right[name]) - np.mean(pair.bits.right[name]))
        for name in pair.floats.right
    }
    widest, least = max(gap, key=gap.__getitem__), min(gap, key=gap.__getitem__)
    points = {name: 100 * gap[name] / pair.floats.examples for name in (widest, least)}
    said = (
        f"Corruption costs the float network {lost[0]:.1f} points, of {percent(clean[0])} to "
        f"{percent(pair.floats.mean)}, and the 1-bit one {lost[1]:.1f}, of {percent(clean[1])} to "
        f"{percent(pair.bits.mean)}."
    )
    if points[widest] > 0:
        said += f" The float one leads most under {ALL[widest].title} ({points[widest]:.1f} points)"
        said += f", least under {ALL[least].title} ({points[least]:.1f})." if points[least] >= 0 else "."
    if points[least] < 0:
        said += f" The 1-bit one leads most under {ALL[least].title} ({-points[least]:.1f} points)."
    return f"{said} The 1-bit one is ahead at {ahead} of {5 * len(gap)} places."


def about(pair: Pair, live: bool) -> str:
    """Where the numbers are from, and how far chance moves one of them, in sentences."""
    one = pair.bits
    corruptions = kind_of(tasks.get(one.task)).corruptions
    seed = f"seed {one.seed}"
    where = "Measured here" if live else f"Recorded on {one.machine.get('device', 'another machine')}"
    sure = 196 * (0.25 / one.examples) ** 0.5
    return (
        f"{where}, {counted(one.examples, corruptions.noun)}, {seed}: a point is sure to ±{sure:.1f} at most (95 %). "
        f"Chance is {percent(one.chance)}. {corruptions.about}"
    )


class Followed(NamedTuple):
    """One input, corrupted: what that is called, what becomes of it, and both answers, numbers of classes."""

    title: str
    raw: NDArray[Any]
    floats: int
    bits: int


def follow(
    raw: NDArray[Any],
    number: int,
    severity: int,
    kind: Kind,
    models: tuple[nn.Module, nn.Module],
    tokenizers: tuple[Any, Any] = (None, None),
) -> list[Followed]:
    """An input through all corruptions at a severity, and clean, with the answers of the float and the 1-bit model.

    Args:
        raw: (1, ...), as the task's are. number: of it among the held-out ones, so that it looks as it does there.
        severity: 1 to 5. kind: of the task's inputs. models: the two. tokenizers: theirs.
    """
    known = kind.corruptions.known
    spoilt = [kind.corruptions.corrupt(raw, name, severity, first=number) for name in known]
    every = np.concatenate([raw, *spoilt])
    answers = [
        kind.logits(model, every, tokenizer).argmax(-1).tolist()
        for model, tokenizer in zip(models, tokenizers, strict=True)
    ]
    titles = ["clean", *(each.title for each in known.values())]
    return [Followed(*each) for each in zip(titles, every, *answers, strict=True)]


def still_right(found: list[Followed], labels: tuple[str, ...], truth: str | None) -> str:
    """How many of the corrupted inputs both answer as they do the clean one, or rightly, in a sentence.

    >>> found = [Followed("clean", np.zeros((1, 1)), 1, 1), Followed("fog", np.zeros((1, 1)), 0, 1)]
    >>> still_right(found, ("a", "b"), "b")
    'Right are the float one on 0 of 1, the 1-bit one on 1.'
    """
    clean, *spoilt = found
    wanted = [clean.floats, clean.bits] if truth is None else [labels.index(truth)] * 2
    floats = sum(each.floats == wanted[0] for each in spoilt)
    bits = sum(each.bits == wanted[1] for each in spoilt)
    if truth is None:
        return f"As before answer the float one on {floats} of {len(spoilt)}, the 1-bit one on {bits}."
    return f"Right are the float one on {floats} of {len(spoilt)}, the 1-bit one on {bits}."
