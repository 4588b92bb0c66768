"""Counting rules, each a small named object: `get(name)`, `names()`, `register`."""

from binviz.costs.rules import bert_line, everything, vision  # noqa: F401 (each registers its rules)
from binviz.costs.rules.rule import Rule, get, names, register
from binviz.costs.rules.vision import om_comp

__all__ = ["Rule", "get", "names", "om_comp", "register"]
