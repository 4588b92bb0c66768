"""Experiments by name."""

from __future__ import annotations

from importlib import import_module

from binviz.errors import UserError
from binviz.experiments.cells import Experiment

NAMES = ("bit", "bivit", "bipft", "bibench", "edge", "dbllm", "qpsbgd")
NAMES = ("bit", "bivit", "bipft", "bibench", "edge", "dbllm", "rbonn", "cmim")
NAMES = ("bit", "bivit", "bipft", "bibench", "edge", "dbllm", "binarydm")
NAMES = ("bit", "bivit", "bipft", "bibench", "edge", "dbllm", "bidense", "bimtdp")
NAMES = ("bit", "bivit", "bipft", "bibench", "edge", "dbllm", "dbnet")


def get(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        UserError: there is none.

    >>> get("bit").cells[0].name
    'sst2.float'
    """
    if name not in NAMES:
        raise UserError(f"no experiment {name!r}; choose one of: {', '.join(NAMES)}")
    return import_module(f"binviz.experiments.{name}").EXPERIMENT
