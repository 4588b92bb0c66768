"""The recipe in a model's configuration, so that whatever keeps the configuration keeps the recipe."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from torch import nn

from binviz.recipes import Recipe

#: Entry of the configuration, a recipe as JSON has it.
ENTRY = "binviz_recipe"


def write_recipe(model: nn.Module, recipe: Recipe) -> None:
    """Put the recipe into the model's configuration, if it has one, for `save_pretrained` and transformers' Trainer.

    Every configuration in the model is replaced by a copy before: another model may have been built from the same.

    >>> from transformers import BertConfig, BertModel
    >>> from binviz import recipes
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    >>> model = BertModel(config)
    >>> write_recipe(model, recipes.get("bnn"))
    >>> model.config.binviz_recipe["name"], model.encoder.config is model.config, hasattr(config, ENTRY)
    ('bnn', True, False)
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        if hasattr(vars(module).get("config"), "to_dict"):
            module.config = deepcopy(module.config, memo)
    config = vars(model).get("config")
    if hasattr(config, "to_dict"):
        setattr(config, ENTRY, json.loads(json.dumps(recipe.to_dict())))
