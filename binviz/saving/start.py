"""A folder to start from, held against its own weights before transformers takes memory for what it describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from binviz.errors import UserError
from binviz.reading import fits, json_of
from binviz.saving.build import SMALL, _at_most, _check_switches, _harmless
from binviz.saving.folder import CONFIG

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Numbers that a model may have beyond four times those of its file: of a head that the file lacks.
BEYOND = 2**24


def check_start(folder: Path, make: Callable[[], PreTrainedModel]) -> None:
    """Raise UserError unless the model of a folder's configuration is about as large as the folder's weights.

    Args:
        folder: with config.json and *.safetensors, as transformers has them.
        make: the model of that configuration; called where parameters take no memory.

    Raises:
        UserError: a file is damaged or missing, or the configuration describes a far larger model.
    """
    config = json_of(folder / CONFIG, "a model's configuration")
    if not fits(config, dict[str, Any]) or not fits(config.get("architectures") or [], list[str]):
        raise UserError(
            f"{folder / CONFIG} is not a model's configuration: architectures are a list of names"
        )
    tensors, numbers = _weights(folder)
    _harmless(config, max(SMALL, numbers))
    try:
        with torch.device("meta"), _at_most(4 * tensors + 100):
            model = make()
        _check_switches(model.config)
        if getattr(model.config, "chunk_size_feed_forward", 0):
            raise UserError(f"{folder / CONFIG} has a chunk_size_feed_forward; set it to 0")
    except UserError:
        raise
    except Exception as error:  # of a value that makes no sense
        raise UserError(f"the configuration {folder / CONFIG} cannot be used: {error}") from error
    described = sum(parameter.numel() for parameter in model.parameters())
    if described > 4 * numbers + BEYOND:
        raise UserError(
            f"{folder / CONFIG} describes a model of {described:,} numbers, its weights are {numbers:,}"
        )


def _weights(folder: Path) -> tuple[int, int]:
    """How many tensors and numbers the weights are, by their headers."""
    tensors = numbers = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                shapes: list[Any] = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error
        tensors += len(shapes)
        numbers += sum(torch.Size(shape).numel() for shape in shapes)
    if not tensors:
        raise UserError(f"{folder} holds no weights in a .safetensors file")
    return tensors, numbers
