"""The recipe in a model's configuration, so that whatever keeps the configuration keeps the recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from torch import nn

from binviz.recipes import Recipe

#: Entry of the configuration, a recipe as JSON has it.
ENTRY = "binviz_recipe"


def write_recipe(model: nn.Module, recipe: Recipe) -> None:
    """Put the recipe into the model's configuration, for `save_pretrained` and transformers' Trainer.

    A module without a configuration that holds one model with it (a SentenceTransformer) leaves the recipe to that one.
    Every configuration in the model is replaced by a copy before: another model may have been built from the same.

    >>> from transformers import BertConfig, BertModel
    >>> from binviz import recipes
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    >>> model = BertModel(config)
    >>> write_recipe(nn.Sequential(model), recipes.get("bnn"))
    >>> model.binviz_recipe.name, model.config.binviz_recipe["name"], hasattr(config, ENTRY)
    ('bnn', 'bnn', False)
    >>> model.encoder.config is model.config
    True
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        if _configured(module):
            module.config = deepcopy(module.config, memo)
    model.binviz_recipe = recipe  # type: ignore[assignment]
    outermost = list(_outermost(model))
    for module in outermost if len(outermost) == 1 else ():
        module.binviz_recipe = recipe  # type: ignore[assignment]
        setattr(module.config, ENTRY, json.loads(json.dumps(recipe.to_dict())))


def _configured(module: nn.Module) -> bool:
    return hasattr(vars(module).get("config"), "to_dict")


def _outermost(model: nn.Module) -> Iterator[nn.Module]:
    """The modules with a configuration that lie in no other such one."""
    if _configured(model):
        yield model
    else:
        for child in model.children():
            yield from _outermost(child)
