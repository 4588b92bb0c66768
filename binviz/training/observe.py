"""What moves in a binary model while it learns: flips of weights, learned scales, shifts and thresholds.

Names of curves, where `layer` is canonical ("layers.0.query"), or a module path in other networks:

    flips/<layer>      share of the layer's weights whose code changes in that one step
    scale/<layer>      the learned scale of its activations (of a vector: its mean)
    shift/<layer>      mean magnitude of its learned shifts or thresholds
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binviz.adapters import layout_of
from binviz.binarizers import Binarizer
from binviz.errors import UserError
from binviz.losses.labels import NO_LABEL, classes_last

WeightCodes = dict[str, Tensor]


def layer_names(model: nn.Module) -> dict[str, str]:
    """Module path -> canonical name of every layer that can be binary.

    >>> layer_names(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)))
    {'1': '1'}
    """
    try:
        layout = layout_of(model)
    except UserError:
        return {}
    names = {path: name for name, path in layout.others.items()}
    names |= {path: name for name, path in layout.tables.items()}
    for block in layout.blocks:
        names |= {path: name for name, path in block.linears().items()}
        for role in ("query", "key", "value", "attention"):
            names[f"{block.attention}.binary.{role}_binarizer"] = f"{block.name}.attention.{role}"
    return names


@torch.no_grad()
def right_answers(logits: Tensor | None, labels: Tensor | None) -> tuple[int, int]:
    """At how many positions the largest logit is the label's, of how many that have one; (0, 0) without classes.

    Args:
        logits: (..., C), or maps (B, C, H, W).
        labels: (...) int64, -100 where a position has none.

    >>> right_answers(torch.tensor([[0.0, 1.0], [3.0, 2.0], [0.0, 1.0]]), torch.tensor([1, 1, -100]))
    (1, 2)
    """
    if logits is None or labels is None:
        return 0, 0
    logits = classes_last(logits)
    if logits.shape[-1] == 1 or labels.shape != logits.shape[:-1]:
        return 0, 0
    labelled = labels != NO_LABEL
    return int(((logits.argmax(-1) == labels) & labelled).sum()), int(labelled.sum())


@torch.no_grad()
def weight_codes(model: nn.Module) -> WeightCodes:
    """Module path -> the codes of its binary weights, as booleans, (bases, *shape of the weight).

    >>> import binviz
    >>> network = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    >>> _ = binviz.binarize_(network, "bnn")
    >>> {path: tuple(codes.shape) for path, codes in weight_codes(network).items()}
    {'1': (1, 4, 4)}
    """
    return {
        path: torch.stack([code.q > 0 for code in module.weight_binarizer.bases(module.weight)])
        for path, module in model.named_modules()
        if isinstance(getattr(module, "weight_binarizer", None), Binarizer)
    }


@torch.no_grad()
def curves(model: nn.Module, before: WeightCodes, names: dict[str, str]) -> dict[str, float]:
    """One point of every curve, to four significant digits.

    Args:
        model: after a step.
        before: its `weight_codes` before that step.
        names: of its layers, see `layer_names`.
    """
    found = {
        f"flips/{names.get(path, path)}": float((codes != before[path]).float().mean())
        for path, codes in weight_codes(model).items()
    }
    for path, module in model.named_modules():
        if not isinstance(module, Binarizer) or "weight_binarizer" in path.split("."):
            continue
        path = path.removesuffix(".activation_binarizer")
        for name, parameter in module.named_parameters(recurse=False):
            if name in module.scales:
                found[f"scale/{names.get(path, path)}"] = float(parameter.mean())
            elif name in module.shifts:
                found[f"shift/{names.get(path, path)}"] = float(parameter.abs().mean())
    return {name: float(f"{value:.4g}") for name, value in found.items()}
