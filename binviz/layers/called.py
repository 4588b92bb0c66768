"""Every binary part of a layer answers in each pass of its encoder, or the pass is refused.

A pass begins and ends with the encoder's forward, or a plain network's. A part that is called notes its place, and so
does one whose weight is read. Where a layer has parts that were called and others that were not, or where the weight
of a part was read that was not called, the forward of somebody's own goes past these: it multiplies with the latent
weight, or has an attention of its own, and they would be float, unnoticed. A layer that is left out as a whole, as
training with layer drop does, is no fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from binviz.errors import UserError


class Pass(NamedTuple):
    """Places of the parts that were called in a pass, and of those whose weight was read."""

    called: set[str]
    read: set[str]


#: The one that is running in this thread.
_running: ContextVar[Pass | None] = ContextVar("binviz_pass", default=None)


def answers(place: str) -> None:
    """Note that the binary part of that place was called."""
    running = _running.get()
    if running is not None:
        running.called.add(place)


def is_read(place: str) -> None:
    """Note that the weight of the binary part of that place was read, by the part itself or by others."""
    running = _running.get()
    if running is not None and place:
        running.read.add(place)


def watch(encoder: nn.Module, layers: Iterable[Iterable[str]]) -> None:
    """Check every later pass of an encoder, in place of an earlier `watch`; with no parts, none.

    A part keeps its name as its `place`, so that layers may be put elsewhere, copied and packed.

    Args:
        encoder: called as a module, from within another or not.
        layers: of each, the paths in the encoder of its binary parts, which call `answers`.

    >>> import torch
    >>> from binviz import binarizers
    >>> from binviz.layers import BinaryLinear
    >>> encoder = nn.Sequential(*(BinaryLinear(2, 2, weight=binarizers.get("bnn"), activation=None) for _ in range(2)))
    >>> watch(encoder, [["0", "1"]])
    >>> encoder.forward = lambda x: nn.functional.linear(encoder[0](x), encoder[1].weight)
    >>> encoder(torch.zeros(1, 2))
    Traceback (most recent call last):
    binviz.errors.UserError: Sequential goes past its binary 1, which was not called; leave it float with filter_fn or \
keep_float
    """
    for hooks in (encoder._forward_pre_hooks, encoder._forward_hooks):
        for key, hook in list(hooks.items()):
            if getattr(hook, "func", hook) in (_begins, _ends):
                del hooks[key]
    named = tuple(places for paths in layers if (places := frozenset(paths)))
    for path in frozenset().union(*named):
        encoder.get_submodule(path).place = path  # type: ignore[assignment]
    if named:
        encoder.register_forward_pre_hook(_begins)
        encoder.register_forward_hook(partial(_ends, named))


def _begins(encoder: nn.Module, args: Any) -> None:
    _running.set(Pass(set(), set()))


def _ends(layers: tuple[frozenset[str], ...], encoder: nn.Module, args: Any, output: Any) -> None:
    called, read = _running.get() or Pass(set(), set())
    _running.set(None)
    missed = {place for places in layers if not called.isdisjoint(places) for place in places - called}
    missed |= read - called
    if missed:
        missed &= {
            str(getattr(part, "place", "")) for part in encoder.modules()
        }  # others were replaced since
    if missed:
        raise UserError(
            f"{type(encoder).__name__} goes past its binary {min(missed)}, which was not called; "
            "leave it float with filter_fn or keep_float"
        )
