"""How much of a network is in its signs, for the page Inside: signs that training changed, and signs flipped.

No Streamlit here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from binviz import zoo
from binviz.analysis.signs import Flips, changed_signs, flipped, packed_layers, random_flips, scores_of_flips
from binviz.errors import UserError
from binviz.packed import pack
from binviz.words import counted, percent
from binviz_dashboard import answers, inside
from binviz_dashboard.inside import Grid
from binviz_dashboard.subject import Subject

#: Shares of signs that a curve is measured at, and draws of each.
SHARES, DRAWS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5), 5
EVERYWHERE = "all layers"


def changed(of: Subject, floats: nn.Module, binary: nn.Module) -> pd.DataFrame:
    """The table of `changed_signs` of a pair."""
    return changed_signs(floats, binary, of.binary.recipe)


def grid(table: pd.DataFrame) -> Grid:
    """Shares in percent as a map of the network."""
    return inside.grid_of(table.iloc[:-1].assign(share=100 * table["share"]), "share")


ABOUT = {"measure": "signs that training changed", "unit": "% of the layer's", "better": ""}


def changed_said(table: pd.DataFrame) -> str:
    """The whole in a sentence."""
    every, layers = table.iloc[-1], table.iloc[:-1]
    most, least = (layers.loc[getattr(layers["share"], which)()] for which in ("idxmax", "idxmin"))
    return (
        f"Training changed {percent(every['share'])} of {every['weights']:,} signs: most in {most['name']} "
        f"({percent(most['share'])}), least in {least['name']} ({percent(least['share'])}). All others are still the "
        "float network's."
    )


class Asked(NamedTuple):
    """Examples as one batch, and their right answers (N,)."""

    inputs: dict[str, Tensor]
    truths: Tensor


def asked(of: Subject, tokenizer: Any) -> Asked:
    """All examples of a task whose answer is known.

    Raises:
        UserError: there is none.
    """
    examples = answers.every_example(of.task, of.name, tokenizer)
    known = [each for each in examples if each.truth is not None]
    if not known:
        raise UserError(f"no bundled example of {of.title} has a right answer to count; choose another model")
    truths = [of.task.labels.index(str(each.truth)) for each in known]
    return Asked(inside.joined([each.inputs for each in known]), torch.tensor(truths))


@torch.inference_mode()
def right(model: nn.Module, questions: Asked) -> float:
    """The share of examples that a model has right."""
    return float((model(**questions.inputs).logits.argmax(-1) == questions.truths).float().mean())


class Flipped(NamedTuple):
    """What is left with some signs flipped, in one draw.

    score: share of right answers. flips: how many. bytes: of the layers' words. micros: that the
    XOR of one patch takes.
    """

    score: float
    flips: int
    bytes: int
    micros: float

    def said(self, before: float, examples: int) -> str:
        """In a sentence."""
        return (
            f"{percent(before)} of {counted(examples, 'example')} are right with the model's own signs, "
            f"{percent(self.score)} with {counted(self.flips, 'flip')}, drawn once. "
            f"The patch is an XOR of {self.bytes / 1000:,.1f} kB of words, which took {self.micros:,.0f} µs here, "
            "and as many to undo."
        )


def flip(model: nn.Module, questions: Asked, share: float, paths: list[str] | None) -> Flipped:
    """Flip a share of the signs of layers and ask all examples.

    Args:
        model: of `pack`, with fused=False; afterwards as it was.
        questions: asked. share: 0 to 1. paths: of the layers, None for all.
    """
    patch = random_flips(model, share, 0, paths)
    with flipped(model, patch):
        score = right(model, questions)
    size = sum(words.nbytes for words in patch.words.values())
    return Flipped(score, patch.count, size, microseconds(patch, model))


def microseconds(patch: Flips, model: nn.Module) -> float:
    """Median time of an XOR of the patch into a copy of the model's words."""
    layers = packed_layers(model)
    words = {path: layers[path].bits.numpy().copy() for path in patch.words}
    took = []
    for _ in range(9):
        began = time.perf_counter()
        patch.apply_(words)
        took.append(1e6 * (time.perf_counter() - began))
    return median(took)


def curve(
    of: Subject, questions: Asked, paths: list[str] | None, tell: Callable[[float, str], object]
) -> pd.DataFrame:
    """The table of `scores_of_flips` at `SHARES`, on a model of its own."""
    model = pack(zoo.load(of.name), fused=False)
    return scores_of_flips(model, lambda each: right(each, questions), SHARES, DRAWS, paths, tell)


def arguments(table: pd.DataFrame) -> tuple[list[float], list[list[float]]]:
    """Shares and scores of `plots.flips`, in percent."""
    wide = 100 * table.pivot(index="seed", columns="share", values="score")
    return [100 * share for share in wide.columns], wide.to_numpy().tolist()


def chance(questions: Asked) -> float:
    """Accuracy of the commonest answer, in percent.

    >>> chance(Asked({}, torch.tensor([0, 1, 1, 1])))
    75.0
    """
    return 100 * float(questions.truths.bincount().max() / len(questions.truths))


def code_of_changed(of: Subject) -> str:
    """Python that draws the map of changed signs."""
    floats, binary = of.pair
    return (
        "import binviz\nfrom binviz import plots\nfrom binviz.analysis.signs import changed_signs\n"
        "from binviz_dashboard import signs\n\n"
        f"start, student = binviz.load({floats!r}), binviz.load({binary!r})\n"
        f"table = changed_signs(start, student, {of.binary.recipe!r})\n"
        "figure = plots.network(*signs.grid(table), **signs.ABOUT)\n"
    )


def code_of_flips(of: Subject, paths: list[str] | None) -> str:
    """Python that draws the curve; it takes as long as the button."""
    return (
        "import binviz\nfrom binviz import plots\nfrom binviz_dashboard import signs, subject\n\n"
        f"of = subject.of({of.name!r})\n"
        f"questions = signs.asked(of, of.task.tokenizer({of.name!r}))\n"
        f"table = signs.curve(of, questions, {paths!r}, lambda share, text: None)\n"
        "figure = plots.flips(*signs.arguments(table), signs.chance(questions))\n"
    )
