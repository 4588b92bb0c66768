"""Let a listener see tensors inside a layer while it runs, without leaving anything on the model.

The listener lives in a context variable: it hears only what its own thread computes, and is gone when the
`with` block ends, also after an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import nn

#: Called with (module, part, value); value is a tensor or a Code.
Listener = Callable[[nn.Module, str, Any], None]

_listener: ContextVar[Listener | None] = ContextVar("binviz_listener", default=None)


def tap(module: nn.Module, part: str, value: Any) -> None:
    """Show a value to the listener of this thread, if there is one.

    >>> heard = []
    >>> with listening(lambda module, part, value: heard.append((part, value))):
    ...     tap(nn.Identity(), "scores", 3)
    >>> heard
    [('scores', 3)]
    """
    listener = _listener.get()
    if listener is not None:
        listener(module, part, value)


def heard() -> bool:
    """Whether this thread has a listener.

    >>> heard()
    False
    """
    return _listener.get() is not None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within the block, `listener` hears every tap of this thread.

    >>> import torch
    >>> from binviz import binarizers
    >>> from binviz.layers import BinaryLinear
    >>> heard = []
    >>> layer = BinaryLinear(2, 3, weight=binarizers.get("bnn"), activation=binarizers.get("bnn"))
    >>> with listening(lambda module, part, value: heard.append(part)):
    ...     _ = layer(torch.zeros(1, 2))
    >>> heard
    ['pre', 'code']
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
