"""A pass in which every binary layer and every product of attention is handed the float model's tensors.

What comes out of a place is then wrong by what that place does, and by nothing that was done before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from binviz.adapters.layout import Layout
from binviz.analysis.capture import Captured, Preparation, run
from binviz.analysis.sites import sites

#: Field of a block -> the place that its linear reads.
INPUTS = {
    "query": "q_in",
    "key": "k_in",
    "value": "v_in",
    "attn_out": "context",
    "fc1": "ffn_in",
    "fc2": "ffn_act",
}


def captured(
    model: nn.Module,
    inputs: Any,
    layout: Layout,
    prepare: Preparation | None = None,
    operands: Mapping[str, Tensor] | None = None,
) -> Captured:
    """Everything as tensors, copied because a later layer may work in place.

    `operands` take the place of attention's own queries, keys and values, by name, behind the copy.
    """
    arrays: dict[str, Any] = {}
    counts: dict[str, Any] = {}

    def receive(name: str, value: Tensor, counted: Tensor | None) -> None:
        arrays[name], counts[name] = value.clone(), counted
        if operands and name in operands:
            value.copy_(operands[name])

    run(model, layout, sites(model, layout), inputs, receive, prepare, isolate=False)
    return Captured(arrays, counts)


def operands_of(reference: Captured, layout: Layout) -> dict[str, Tensor]:
    """The float model's queries, keys and values, by name."""
    return {
        name: reference[name]
        for block in layout.blocks
        for name in (f"{block.name}.{part}" for part in "qkv")
    }


def force(twin: nn.Module, layout: Layout, reference: Captured, made_here: dict[str, Tensor]) -> None:
    """Hand the float model's tensors to every layer of the twin.

    Codes of the float model's attention are put into `made_here`.
    """
    hand(twin, layout, reference, lambda path, value: value)
    for block in layout.blocks:
        # Ahead of the hook that remembers attention's input for low-rank estimators.
        attention = twin.get_submodule(block.attention)
        replace_input(attention, reference[f"{block.name}.q_in"], prepend=True)
        binary = getattr(attention, "binary", None)
        if binary is not None and binary.attention_binarizer is not None:
            name = f"{block.name}.{binary.attention_on}"
            code = binary.attention_binarizer.encode(reference[name])
            made_here[f"{name}.code"], made_here[f"{name}.decoded"] = code.q, code.decode()


def hand(
    model: nn.Module, layout: Layout, reference: Captured, change: Callable[[str, Tensor], Tensor]
) -> None:
    """Every linear and convolution gets `change(its path, what it got in the float model)`."""
    for block in layout.blocks:
        for field, part in INPUTS.items():
            path = getattr(block, field)
            replace_input(model.get_submodule(path), change(path, reference[f"{block.name}.{part}"]))
    for name, path in layout.others.items():
        if f"{name}.in" in reference:
            replace_input(model.get_submodule(path), change(path, reference[f"{name}.in"]))


def replace_input(module: nn.Module, value: Tensor, prepend: bool = False) -> None:
    """Make a module read this value, whatever it is given."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return ((value, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": value})

    module.register_forward_pre_hook(hook, with_kwargs=True, prepend=prepend)
