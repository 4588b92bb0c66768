"""Ones of attention's rows, and what another threshold of BiViT's would do; no Streamlit here."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from binviz.analysis import Attention, metrics
from binviz.binarizers import described
from binviz.layers.attention import BinaryAttention
from binviz.words import percent
from binviz_dashboard.inside import Code, of_attention


def beta_of(model: nn.Module) -> tuple[float, float, float] | None:
    """The part of its row's maximum from which a probability becomes a one in a model's attention, and its bounds.

    None where its binarizers have no such option: theirs is learned, fixed, or found for each row.

    >>> from binviz import zoo
    >>> beta_of(zoo.load("digits-vit.bivit-w1a1")), beta_of(zoo.load("digits-vit.bit-w1a1"))
    ((0.25, 0.01, 1.0), None)
    """
    for part in _with_beta(model):
        declared = described(type(part))["beta"].declared
        assert declared.low is not None and declared.high is not None
        return float(part.beta), declared.low, declared.high
    return None


def with_beta(model: nn.Module, beta: float) -> nn.Module:
    """A copy of a model with another such part in all layers; nothing is trained. A float model stays as it is."""
    changed = copy.deepcopy(model)
    for part in _with_beta(changed):
        part.beta = beta
    return changed


def _with_beta(model: nn.Module) -> list[Any]:
    """The binarizers of a model's attention for whose threshold the option `beta` counts."""
    found = [each.attention_binarizer for each in model.modules() if isinstance(each, BinaryAttention)]
    options = [{} if each is None else described(type(each)) for each in found]
    return [
        part
        for part, known in zip(found, options, strict=True)
        if "beta" in known and known["beta"].counts({name: getattr(part, name, None) for name in known})
    ]


def at_beta(code: Code, beta: float) -> Code:
    """Code for the page's figures where the threshold is another than the model's own."""
    return lambda call: code(call.replace("{model}", f"looks.with_beta({{model}}, {beta:g})")).replace(
        "import torch\n", "import torch\nfrom binviz_dashboard import looks\n", 1
    )


def said_of_beta(
    beta: float,
    own: float,
    steps: Sequence[float],
    own_steps: Sequence[float],
    says: Sequence[tuple[str, float]],
) -> str:
    """What another threshold does to the ones, to the mass, and to the answer, in sentences.

    Args:
        beta: chosen. own: the model's.
        steps: ones a row and mass kept, the mean of all heads. own_steps: with its own threshold.
        says: the answer and its probability with the chosen threshold, and with its own.

    >>> said_of_beta(0.5, 0.25, (1.5, 0.6), (3.0, 0.8), (("3", 0.7), ("8", 0.9))).split(". ")[0]
    'At β = 0.5 in every layer 1.5 keys a query become ones and keep 60.0 % of the mass'
    """
    text = f"At β = {beta:g} in every layer {steps[0]:.1f} keys a query become ones and keep {percent(steps[1])} of the"
    text += " mass"
    if beta == own:
        return f"{text}; the network says {says[0][0]} ({percent(says[0][1])}). It was trained with this β."
    return (
        f"{text}. At its own, {own:g}, {own_steps[0]:.1f} keep {percent(own_steps[1])}. The answer "
        + (f"stays {says[0][0]}" if says[0][0] == says[1][0] else f"turns from {says[1][0]} to {says[0][0]}")
        + f" ({percent(says[0][1])}, {percent(says[1][1])} at its own). Nothing was trained for this β."
    )


def summary(attention: Attention) -> tuple[float, float]:
    """Ones a row and mass kept, the mean of all layers, heads and queries of the one example."""
    layers = [layer for layer in attention.layers if layer.codes is not None]
    ones = [float(layer.ones[0].mean()) for layer in layers if layer.ones is not None]
    kept = [float(layer.mass_kept[0].mean()) for layer in layers if layer.mass_kept is not None]
    return sum(ones) / len(layers), sum(kept) / len(layers)


def rows(attention: Attention, layer: int) -> tuple[dict[str, list[float]], dict[str, list[int]], int]:
    """Of every head of a layer the entropies and the ones of its rows, and how many keys there are.

    Arguments of `plots.ones_entropy`.
    """
    heads = attention.layers[layer].probs.shape[1]
    maps = {str(head): attention.map(layer, head) for head in range(heads)}
    entropy = {head: metrics.row_entropy(each.probs).tolist() for head, each in maps.items()}
    ones = {head: each.ones.tolist() for head, each in maps.items() if each.ones is not None}
    return entropy, ones, len(maps["0"].labels)


def code_of_rows(code: Code, layer: int, head: int, labels: Sequence[str], reads_text: bool) -> str:
    """Python that draws `plots.ones_entropy`."""
    return (
        of_attention(code, reads_text).replace("import inside\n", "import looks\n")
        + f"figure = plots.ones_entropy(*looks.rows(binaries, {layer}), {str(head)!r}, {list(labels)})\n"
    )
