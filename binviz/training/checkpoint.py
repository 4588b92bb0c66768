"""The state of a run in one safetensors file: model, optimizer, random states, step. Resuming is exact.

The file is written beside its place and then moved there, so that an interrupted or failed write leaves
the previous checkpoint as it was. Nothing in it is pickled. Of several processes each has a random state of
its own; all else is the same in all of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from binviz.errors import UserError
from binviz.files import replace_files

#: What Adam keeps of a parameter.
ADAM = ("step", "exp_avg", "exp_avg_sq")


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Write everything a run needs to go on. Every process must call it; the main one writes.

    Args:
        path: of the file; its folder is made.
        model, optimizer: what is trained, and how far it is; the optimizer is an Adam.
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
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            zeros = torch.zeros_like(parameter)  # where Adam begins, if there was no gradient yet
            values = optimizer.state.get(parameter) or dict(
                zip(ADAM, (torch.zeros(()), zeros, zeros), strict=True)
            )
            tensors |= {f"optimizer.{key}.{name}": values[key] for key in ADAM}
    # Each state a tensor of its own: torch reads one from its storage's start.
    states = gather_object([torch.get_rng_state()])
    tensors |= {f"rng.{process}": value for process, value in enumerate(states)}
    if torch.cuda.is_available():
        states = gather_object([torch.cuda.get_rng_state()])
        tensors |= {f"rng.cuda.{process}": value for process, value in enumerate(states)}
    processes = PartialState()
    if processes.is_main_process:
        tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        replace_files({path: lambda place: save_file(tensors, place, {"state": json.dumps(state)})})
    processes.wait_for_everyone()


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Restore model, optimizer and random state in place; returns what was given to `save` as state.

    Args:
        path: of a file that `save` wrote.
        model, optimizer: built as those that were saved.

    Raises:
        UserError: the file is damaged, or belongs to another model or number of processes.
    """
    processes = PartialState()
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
            if parameter.requires_grad:
                # Copies: these tensors lie in the file, and Windows replaces no file that is in use
                optimizer.state[parameter] = {key: tensors[f"optimizer.{key}.{name}"].clone() for key in ADAM}
        saved = sum(name.startswith("rng.") and "cuda" not in name for name in tensors)
        if saved != processes.num_processes:
            raise UserError(
                f"{path} belongs to a run with {saved} processes, now it is {processes.num_processes}; "
                "delete it to start again"
            )
        torch.set_rng_state(tensors[f"rng.{processes.process_index}"])
        if "rng.cuda.0" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors[f"rng.cuda.{processes.process_index}"])
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{path} cannot be resumed ({type(error).__name__}); delete it to start again"
        ) from error
    return state
