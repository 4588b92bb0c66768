"""What the tab Attribution computes and says; no Streamlit here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from torch import Tensor, nn

from binviz import analysis, plots
from binviz.analysis import Attribution
from binviz.tasks import Example
from binviz.words import percent
from binviz_dashboard.inside import Code
from binviz_dashboard.subject import Subject

GRADIENTS, ABLATION, OCCLUSION = "integrated_gradients", "ablation", "occlusion"
#: What is left where a part of a picture is taken away -> its grey.
BACKGROUNDS = {"white": 255, "grey": 128, "black": 0}
#: Steps of the integral that the curve of completeness has.
STEPS = (2, 4, 8, 16, 32, 64)


class Asked(NamedTuple):
    """One attribution: the function of `binviz.analysis`, the answer, and steps, patch or window."""

    method: str
    target: int
    detail: int


def nothing(of: Subject, example: Example, tokenizer: Any, background: str) -> tuple[Tensor, Example]:
    """An input of the example's shape that says nothing, and the example with code that makes it, as `reference`.

    Args:
        of: the subject. tokenizer: of a text. background: of a picture, one of `BACKGROUNDS`.
    """
    kind = of.task.pictures
    if example.picture is None or kind is None:
        code = f"{example.code}reference = analysis.masked(inputs, tokenizer)\n"
        return analysis.masked(example.inputs, tokenizer), replace(example, code=code)
    blank = np.full((1, *kind.shape), BACKGROUNDS[background], np.uint8)
    made = f"np.full({blank.shape}, {BACKGROUNDS[background]}, np.uint8)"
    code = f"{example.code}reference = tasks.get({of.task.name!r}).pictures.read({made})['pixel_values']\n"
    imports = f"import numpy as np\nfrom binviz import tasks\n{example.imports}"
    return kind.read(blank)["pixel_values"], replace(example, code=code, imports=imports)


def attribute(model: nn.Module, example: Example, reference: Tensor, asked: Asked) -> Attribution:
    """That attribution of a model's."""
    return getattr(analysis, asked.method)(model, example.inputs, reference, asked.target, asked.detail)


def figure(example: Example, floats: Attribution, binaries: Attribution) -> go.Figure:
    """Both networks' attributions, on words or on pixels."""
    if example.picture is not None:
        return plots.pixel_attribution(example.picture, floats.values, binaries.values)
    return plots.word_attribution(tokens(example), floats.values, binaries.values)


def tokens(example: Example) -> list[str]:
    """Every token of a text, its frame too."""
    return ["[CLS]", *example.tokens, "[SEP]"]


def code_of_figure(code: Code, example: Example, asked: Asked) -> str:
    """Python that draws `figure`; `code` is that of the example which `nothing` gives."""
    made = code(f"analysis.{asked.method}({{model}}, inputs, reference, {asked.target}, {asked.detail})")
    if example.picture is not None:
        return (
            made
            + f"figure = plots.pixel_attribution({example.picture_code}, floats.values, binaries.values)\n"
        )
    return made + f"figure = plots.word_attribution({tokens(example)}, floats.values, binaries.values)\n"


def completeness(floats: Attribution, binaries: Attribution) -> str:
    """Whether gradients add up to what they should, in both networks.

    >>> whole, part = Attribution(np.zeros(1), 2.0, 2.001), Attribution(np.zeros(1), 1.0, 4.0)
    >>> completeness(whole, part).split(". ")[1]
    'In the float network they add up to 2.00 of 2.00 (<0.1 % is missing), in the 1-bit one to 1.00 of 4.00 (75.0 %)'
    """
    said = [f"{each.total:.2f} of {each.difference:.2f}" for each in (floats, binaries)]
    missing = [percent(abs(each.missing) / max(abs(each.difference), 1e-9)) for each in (floats, binaries)]
    none = np.abs(binaries.values).sum() < 0.05 * np.abs(floats.values).sum()
    return (
        "Integrated gradients should add up to what the score gains from nothing to this input. In the float network "
        f"they add up to {said[0]} ({missing[0]} is missing), in the 1-bit one to {said[1]} ({missing[1]})."
        " A surrogate gradient is that of another function than the one that runs."
        + (" Of this one hardly anything reaches the input." if none else "")
    )


def agreement(first: Sequence[Attribution], second: Sequence[Attribution]) -> str:
    """How far two methods order the parts alike, in the float and in the 1-bit network, in a sentence.

    >>> one, other = Attribution(np.array([1, 2, 3.0]), 6, 6), Attribution(np.array([3, 2, 1.0]), 6, 6)
    >>> agreement([one, one], [one, other]).split(": ")[1]
    'by 1.00 in the float network, by -1.00 in the 1-bit one (rank correlation, 1 the same order).'
    """
    found = [analysis.rank_agreement(a.values, b.values) for a, b in zip(first, second, strict=True)]
    return (
        f"Gradients and what really happens order the parts alike: by {found[0]:.2f} in the float network, by "
        f"{found[1]:.2f} in the 1-bit one (rank correlation, 1 the same order)."
    )


def curve(
    models: Sequence[nn.Module],
    example: Example,
    reference: Tensor,
    target: int,
    tell: Callable[[float, str], None],
    steps: Sequence[int] = STEPS,
) -> dict[str, list[float]]:
    """What is missing from completeness in the float and in the 1-bit network, with each number of steps, in nats."""
    found: dict[str, list[float]] = {"float": [], "1-bit": []}
    done, whole = 0, 2 * sum(steps)
    for each in steps:
        for network, model in zip(found, models, strict=True):
            tell(done / whole, f"{each} steps, {network}")
            made = attribute(model, example, reference, Asked(GRADIENTS, target, each))
            found[network].append(abs(made.missing))
            done += each
    return found


def curve_figure(found: dict[str, list[float]], steps: Sequence[int] = STEPS) -> go.Figure:
    """`plots.lines` of the curve."""
    title = "missing from completeness (nat)"
    return plots.lines(list(steps), found, "steps of the integral (number)", title, log="xy")
