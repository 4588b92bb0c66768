"""Experiments by name."""

from __future__ import annotations

from importlib import import_module

from binviz.errors import UserError
from binviz.experiments.cells import Experiment

NAMES = (
    "bit", "bivit", "bipft", "bibench", "edge", "dbllm", "binarydm",
    "bidense", "bimtdp", "dbnet", "rbonn", "cmim", "qpsbgd", "bwta", "planes",
)  # fmt: skip


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
