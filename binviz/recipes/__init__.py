"""Recipes: one paper, one file. `get(name)`, `names()`, `register(recipe)`."""

from binviz.recipes import (  # noqa: F401 (each registers its recipes)
    bibench,
    bibert,
    bidense,
    binarydm,
    bipft,
    bit,
    bivit,
    bwta,
    dbllm,
    irnet,
    planes,
    rbonn,
)
from binviz.recipes.recipe import Choice, Recipe, get, names, register

__all__ = ["Choice", "Recipe", "get", "names", "register"]
