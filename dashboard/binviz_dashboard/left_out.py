"""What binarized attention leaves out, head by head, for the page Inside; no Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from binviz import recipes
from binviz.adapters import layout_of
from binviz.analysis import Captured, Polynomial, Polynomials
from binviz.analysis.residual_polynomial import polynomials_of
from binviz.errors import UserError
from binviz.words import percent
from binviz_dashboard import subject
from binviz_dashboard.inside import Code
from binviz_dashboard.subject import Subject

#: What is decomposed -> the rank that BiPFT's published estimators have as a matrix.
PRODUCTS = {"scores": 2, "context": 1}


def subjects() -> dict[str, Subject]:
    """The bundled pairs with a softmax between scores and codes.

    >>> "digits-vit.bit-w1a1" in subjects(), "digits-vit.bibert" in subjects()
    (True, False)
    """
    return {
        name: each
        for name, each in subject.subjects(attending=True).items()
        if recipes.get(each.binary.recipe).attention_on == "probs"
    }


def every_head(model: nn.Module, seen: Captured) -> list[list[Polynomials]]:
    """Of each layer and head, of the one example that was captured.

    Raises:
        UserError: the model has no softmax between scores and codes.
    """
    blocks = layout_of(model).blocks
    if not blocks or f"{blocks[0].name}.probs" not in seen:
        raise UserError(
            "this model binarizes scores, not probabilities, so its softmax has no float counterpart; "
            "choose another model"
        )
    return [polynomials_of(model, seen, layer) for layer in range(len(blocks))]


class Heads(NamedTuple):
    """Arguments of `plots.network`: heads are rows, layers columns."""

    places: list[str]
    layers: list[str]
    values: list[list[float]]
    names: list[list[str]]


def place(layer: int, head: int) -> str:
    """A head's name on the map; `number_of` reads it back."""
    return f"layer {layer}, head {head}"


def number_of(name: str) -> tuple[str, str]:
    """Layer and head of a name on the map.

    >>> number_of(place(3, 11))
    ('3', '11')
    """
    layer, head = re.findall(r"\d+", name)
    return layer, head


def heads_of(found: Sequence[Sequence[Polynomials]], product: str, rank: int) -> Heads:
    """What the best matrix of a rank leaves of each head's residual, as a map of the network."""
    parts: list[list[Polynomial]] = [[getattr(each, product) for each in layer] for layer in found]
    layers, heads = range(len(parts)), range(len(parts[0]))
    return Heads(
        [str(head) for head in heads],
        [str(layer) for layer in layers],
        [[left_by(parts[layer][head], rank) for layer in layers] for head in heads],
        [[place(layer, head) for layer in layers] for head in heads],
    )


def left_by(part: Polynomial, rank: int) -> float:
    """The share of the residual's energy that the best matrix of that rank leaves."""
    return float(part.left[min(rank, len(part.left) - 1)])


def measure(rank: int) -> dict[str, str]:
    """How `plots.network` calls the values."""
    return {
        "measure": f"left by the best of rank {rank}",
        "unit": "share",
        "better": "lower",
    }


def estimators_of(part: Polynomial) -> tuple[int, float] | None:
    """Rank and share of `plots.residuals`."""
    share = part.left_by_estimators
    return None if share is None else (part.rank, share)


def said(part: Polynomial, product: str, rank: int) -> str:
    """One head in words: what its codes compute, and what a low rank could give back."""
    energy = {name: percent(share) for name, share in part.energies.items()}
    whole = "QKᵀ/√d" if product == "scores" else "AV"
    terms = ", ".join(f"{name} {share}" for name, share in energy.items())
    words = (
        f"Energy of the terms beside that of the float {whole}: {terms}. They need not add up to 100 %: two may "
        "cancel. "
        f"The best matrix of rank {rank} leaves {percent(left_by(part, rank))} of what "
        f"{'the codes' if product == 'scores' else 'the values’ codes'} leave out"
    )
    if part.left_by_estimators is None:
        return f"{words}. This model has no estimators; BiPFT's are of rank {PRODUCTS[product]}."
    return f"{words}, this model's learned estimators of rank {part.rank} {percent(part.left_by_estimators)}."


def code_of_heads(code: Code, binary: str, product: str, rank: int) -> str:
    """Python that draws the map of all heads."""
    return (
        _of_polynomials(code, binary)
        + f"heads = left_out.heads_of(found, {product!r}, {rank})\n"
        + f"figure = plots.network(*heads, **left_out.measure({rank}))\n"
    )


def code_of_terms(code: Code, binary: str, product: str, layer: int, head: int) -> str:
    """Python that draws `plots.residuals` of one head."""
    return (
        _of_polynomials(code, binary)
        + f"part = found[{layer}][{head}].{product}\n"
        + "figure = plots.residuals(part.singular_values, part.left, left_out.estimators_of(part))\n"
    )


def _of_polynomials(code: Code, binary: str) -> str:
    made = code("binviz.capture({model}, inputs)")
    made = made.replace("import torch\n", "import torch\nfrom binviz_dashboard import left_out\n", 1)
    return made + f"found = left_out.every_head(binviz.load({binary!r}), binaries)\n"
