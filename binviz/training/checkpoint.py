"""The state of a run in one safetensors file: model, optimizer, random state, step. Resuming is exact.

The file is written beside its place and then moved there, so that an interrupted or failed write leaves
the previous checkpoint as it was. Nothing is pickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from binviz.errors import UserError
from binviz.files import replace_files


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Write everything a run needs to go on.

    Args:
        path: of the file; its folder is made.
        model, optimizer: what is trained, and how far it is.
        state: JSON-serialisable, returned by `load`.

    Raises:
        UserError: the file cannot be written; the previous one is unharmed.

    >>> import tempfile
    >>> model = nn.Linear(2, 1)
    >>> optimizer = torch.optim.AdamW(model.parameters())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder, "run.checkpoint"), model, optimizer, {"step": 7})
    ...     load(Path(folder, "run.checkpoint"), model, optimizer)
    {'step': 7}
    """
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in model.state_dict().items()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            tensors[f"optimizer.{key}.{names[id(parameter)]}"] = torch.as_tensor(value)
    tensors["rng"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    replace_files({path: lambda place: save_file(tensors, place, {"state": json.dumps(state)})})


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Restore model, optimizer and random state in place; returns what was given to `save` as state.

    Args:
        path: of a file that `save` wrote.
        model, optimizer: built as those that were saved.

    Raises:
        UserError: the file is damaged or belongs to another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        model.load_state_dict(
            {
                name.removeprefix("model."): value
                for name, value in tensors.items()
                if name.startswith("model.")
            }
        )
        for name, parameter in model.named_parameters():
            values = {
                key: tensors[f"optimizer.{key}.{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"optimizer.{key}.{name}" in tensors
            }
            if values:
                optimizer.state[parameter] = values
        torch.set_rng_state(tensors["rng"])
        if "rng.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["rng.cuda"])
    except Exception as error:
        raise UserError(
            f"{path} cannot be resumed ({type(error).__name__}); delete it to start again"
        ) from error
    return state
