"""Every binary attention of an encoder answers in each of its passes, or the pass is refused.

A pass begins and ends with the encoder's forward. The linear that makes queries notes that its attention is due, and a
binary attention that it has answered. So an encoder is found whose own forward goes past its attention modules, and one
that leaves out a whole layer, as training with layer drop does, is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from binviz.errors import UserError


class Pass(NamedTuple):
    """due: places of attentions whose queries were made. answered: of those that were called."""

    due: set[str]
    answered: set[str]


#: The pass of an encoder that is running in this thread.
_running: ContextVar[Pass | None] = ContextVar("binviz_pass", default=None)


def answers(place: str) -> None:
    """Note that the binary attention of that place was called."""
    running = _running.get()
    if running is not None:
        running.answered.add(place)


def watch(encoder: nn.Module, attentions: Mapping[str, str]) -> None:
    """Check every later pass of an encoder, in place of an earlier `watch`; with no attentions, none.

    Linears and attentions are paired by a name, where they were; layers may be put elsewhere, copied and packed.

    Args:
        encoder: called as a module, from within another or not.
        attentions: path in the encoder of a linear that makes queries -> of the module whose `binary` they are for.

    >>> encoder = nn.Sequential(nn.Linear(2, 2), nn.ModuleDict({"binary": nn.Identity()}))
    >>> encoder.forward = lambda x: encoder[0](x)  # its own way
    >>> watch(encoder, {"0": "1"})
    >>> import torch
    >>> encoder(torch.zeros(1, 2))
    Traceback (most recent call last):
    binviz.errors.UserError: Sequential computes attention in its own way, so that the binary attention of 1 was not \
called; leave its attention float with filter_fn or keep_float
    """
    for module in encoder.modules():
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            for key, hook in list(hooks.items()):
                if watches(hook):
                    del hooks[key]
    for query, attention in attentions.items():
        encoder.get_submodule(query).register_forward_pre_hook(partial(_is_due, attention))
        encoder.get_submodule(attention).binary.place = attention  # type: ignore[union-attr]
    if attentions:
        encoder.register_forward_pre_hook(_begins)
        encoder.register_forward_hook(_ends)


def watches(hook: Any) -> bool:
    """Whether a hook is one that `watch` puts on a module."""
    return getattr(hook, "func", hook) in (_begins, _ends, _is_due)


def keep_watching(old: nn.Module, new: nn.Module) -> None:
    """Put the note of a linear that makes queries on the one that takes its place."""
    for hook in old._forward_pre_hooks.values():
        if watches(hook):
            new.register_forward_pre_hook(hook)


def _begins(encoder: nn.Module, args: Any) -> None:
    _running.set(Pass(set(), set()))


def _is_due(place: str, linear: nn.Module, args: Any) -> None:
    running = _running.get()
    if running is not None:
        running.due.add(place)


def _ends(encoder: nn.Module, args: Any, output: Any) -> None:
    running = _running.get()
    _running.set(None)
    missed = sorted(running.due - running.answered) if running is not None else ()
    if missed:
        raise UserError(
            f"{type(encoder).__name__} computes attention in its own way, so that the binary attention of {missed[0]} "
            "was not called; leave its attention float with filter_fn or keep_float"
        )
