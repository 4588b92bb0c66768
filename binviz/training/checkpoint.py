"""The state of a run in one safetensors file: model, optimizer, random states, step. Resuming is exact.

The file is written beside its place and then moved there, so that an interrupted or failed write leaves
the previous checkpoint as it was. Nothing in it is pickled. Of several processes each has a random state of
its own; all else is the same in all of them.
"""

from __future__ import annotations

import hashlib
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


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Write everything a run needs to go on. Every process must call it; the main one writes.

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
    # As torch gives it: number of the parameter -> name -> tensor or plain value
    kept = optimizer.state_dict()["state"]
    plain: dict[str, dict[str, Any]] = {}
    for number, values in kept.items():
        plain[str(number)] = {key: None if torch.is_tensor(value) else value for key, value in values.items()}
        tensors |= {f"optimizer.{number}.{key}": v for key, v in values.items() if torch.is_tensor(v)}
    # Each state a tensor of its own: torch reads one from its storage's start.
    states = gather_object([torch.get_rng_state()])
    tensors |= {f"rng.{process}": value for process, value in enumerate(states)}
    if torch.cuda.is_available():
        states = gather_object([torch.cuda.get_rng_state()])
        tensors |= {f"rng.cuda.{process}": value for process, value in enumerate(states)}
    processes = PartialState()
    if processes.is_main_process:
        tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        texts = {"state": json.dumps(state), "optimizer": json.dumps(plain)}
        texts["digest"] = _digest(tensors, texts)
        replace_files({path: lambda place: save_file(tensors, place, texts)})
    processes.wait_for_everyone()


def _digest(tensors: dict[str, Tensor], texts: dict[str, str]) -> str:
    """What differs where anything in the file does: a damaged optimizer would only be met in the middle of a step."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().data)
    for name in ("state", "optimizer"):
        digest.update(texts[name].encode())
    return digest.hexdigest()


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Restore model, optimizer and random state in place; returns what was given to `save` as state.

    Args:
        path: of a file that `save` wrote.
        model, optimizer: built as those that were saved.

    Raises:
        UserError: the file is damaged, or belongs to another model or number of processes.
    """
    from binviz.layers.attention import name_today

    processes = PartialState()
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        state, plain = (json.loads(texts[name]) for name in ("state", "optimizer"))
        if texts.get("digest", "") not in ("", _digest(tensors, texts)):  # earlier ones have none
            raise ValueError("it is damaged")
        model.load_state_dict(
            {
                name_today(name.removeprefix("model.")): value
                for name, value in tensors.items()
                if name.startswith("model.")
            }
        )
        # Copies: these tensors lie in the file, and Windows replaces no file that is in use
        kept = {
            int(number): {
                key: tensors[f"optimizer.{number}.{key}"].clone() if value is None else value
                for key, value in values.items()
            }
            for number, values in plain.items()
        }
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": kept, "param_groups": groups})
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
