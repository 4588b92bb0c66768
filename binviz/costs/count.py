"""Count a network's operations and bytes: `of(model or configuration)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from binviz import recipes
from binviz.costs import rules
from binviz.costs.inventory import parts_of
from binviz.costs.report import Costs
from binviz.costs.rules import Rule
from binviz.costs.trace import trace, without_numbers
from binviz.errors import UserError
from binviz.recipes import Recipe


def of(
    subject: Any,
    recipe: str | Recipe | None = None,
    *,
    tokens: int = 128,
    shape: Sequence[int] | None = None,
    rule: str | Rule = "bert-line",
) -> Costs:
    """Operations and bytes of one input, layer by layer, under a named rule.

    Nothing is downloaded, the model is neither run nor changed, and a configuration takes no memory for weights.

    Args:
        subject: a float model, one that `binarize_` has converted, or a transformers configuration. That of a
            text model stands for the bare encoder, that of an image model for the classifier with
            `num_labels` classes, as papers count them; for another head, pass a model.
        recipe: count it as if converted by this recipe; None counts it as it is.
        tokens: length of the text, where it reads text. The size of an image is the configuration's.
        shape: of one input without the batch, for a network whose configuration does not say it, or has none:
            (channels, height, width), (features,), or (tokens,) where the first module is an embedding.
        rule: one of `costs.rules.names()`. The papers' own: "bert-line" (BERT), "bivit" (ViT, Swin); "everything" is
            what binviz runs and stores.

    Returns:
        Rows, totals and ratios, which print as a table.

    Raises:
        UserError: no model, an unknown recipe or rule, a recipe that does not fit, a length that the model does
            not take, or a network that says no input shape.

    >>> from transformers import BertConfig
    >>> for line in of(BertConfig(), "bit-w1a1").summary():
    ...     print(line)
    BertModel, bit-w1a1, 128 tokens
    products: 11.17 G MACs, 100 % with two 1-bit operands
    operations: 397.7 M FLOPs (12.2 % fitted), 56.2x less than float's 22.35 G FLOPs [rule bert-line]
    memory: 13.43 MiB, 31.1x less than float's 417.64 MiB [rule bert-line]
    """
    counted_by = rules.get(rule)
    model = subject if isinstance(subject, nn.Module) else _untrained(subject)
    if recipe is not None:
        from binviz.convert import binarize_

        recipe = recipes.get(recipe)
        model = without_numbers(model)
        with torch.device("meta"):
            binarize_(model, recipe)
    example, described = _example(model, tokens, shape)
    used = getattr(model, "binviz_recipe", None)
    parts = parts_of(model, trace(model, example))
    return Costs(type(model).__name__, used.name if used else "float", described, counted_by, tuple(parts))


def _untrained(config: Any) -> nn.Module:
    """The model that a configuration stands for, without weights."""
    import transformers
    from transformers.models.auto import modeling_auto

    if not isinstance(config, transformers.PreTrainedConfig):
        raise UserError(
            f"a model or a transformers configuration is expected, not {type(config).__name__}; "
            "binviz.load(name) loads a bundled model"
        )
    image = hasattr(config, "image_size")
    known = (
        modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
        if image
        else modeling_auto.MODEL_MAPPING_NAMES
    )
    classes = known.get(config.model_type)
    if classes is None:
        raise UserError(
            f"which model a {type(config).__name__} stands for is not known; pass the model itself"
        )
    model_class = getattr(transformers, classes if isinstance(classes, str) else classes[0])
    try:
        with torch.device("meta"):
            return model_class(config)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the {type(config).__name__} cannot be used: {reason}") from error


def _example(model: nn.Module, tokens: int, shape: Sequence[int] | None) -> tuple[Tensor, str]:
    """One input without numbers, batch axis first, and what to call it."""
    config = getattr(model, "config", None)
    if shape is None and hasattr(config, "image_size"):
        size = config.image_size  # type: ignore[union-attr]
        sides = (size, size) if isinstance(size, int) else tuple(size)
        shape = (config.num_channels, *sides)  # type: ignore[union-attr]
    elif shape is None and hasattr(config, "vocab_size"):
        most = getattr(config, "max_position_embeddings", None) or 1 << 20
        if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= most:
            raise UserError(f"tokens is {tokens!r}; this model takes 1 to {most:,} of them")
        shape = (tokens,)
    elif shape is None:
        raise UserError(
            f"{type(model).__name__} does not say what it reads; give the shape of one input, "
            "such as shape=(1, 8, 8)"
        )
    shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not shape or not all(isinstance(side, int) and side > 0 for side in shape):
        raise UserError(f"shape is {shape!r}; give positive whole numbers, such as (3, 224, 224)")
    words = len(shape) == 1 and (hasattr(config, "vocab_size") or _starts_with_embedding(model))
    described = f"{shape[0]:,} tokens" if words else "input of " + " x ".join(map(str, shape))
    return torch.empty((1, *shape), dtype=torch.long if words else torch.float32, device="meta"), described


def _starts_with_embedding(model: nn.Module) -> bool:
    leaves = (module for module in model.modules() if not any(module.children()))
    return isinstance(next(leaves, None), nn.Embedding)
