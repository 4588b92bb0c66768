"""Models whose tensors are split over several processes, as by torch's `fully_shard` (FSDP)."""

from __future__ import annotations

from torch import nn

from binviz.errors import UserError


def require_whole(model: nn.Module) -> None:
    """Refuse a model of which this process has a part.

    Raises:
        UserError: a parameter is split.

    >>> require_whole(nn.Linear(2, 2))
    """
    if any(hasattr(value, "full_tensor") for value in model.parameters()):
        raise UserError(
            "this process has a part of the model (fully_shard); binarize before, and gather it into a whole one to "
            "save or pack it: get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))"
        )
