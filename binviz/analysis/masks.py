"""Which entries of a captured tensor count: not padding, and not what attention is forbidden to look at."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from binviz.adapters.layout import Layout
from binviz.analysis.sites import Site
from binviz.convert.attention import encoder_roots


class Masks:
    """The masks of one run, filled as the model runs, before the values that they belong to appear.

    Args:
        model: the one that will run; gets hooks on its attention modules.
        layout: its parts.
        attention_mask: (B, T), nonzero for tokens, as tokenizers give it, or None. What an encoder in the model is
            given goes before; where there are several, each one's counts for itself only.

    Attributes:
        tokens: (B, T) boolean, or None where no such mask was given.
    """

    def __init__(self, model: nn.Module, layout: Layout, attention_mask: Any) -> None:
        from binviz.layers.attention import FORBIDDEN

        self._forbidden = FORBIDDEN
        self.tokens = _tokens(attention_mask)
        self._several = bool(layout.encoders)
        self._encoders: dict[str, Tensor | None] = {}
        for root in encoder_roots(model, layout) if layout.blocks else ():
            encoder = model.get_submodule(root)
            encoder.register_forward_pre_hook(self._encoder_starts(root, encoder), with_kwargs=True)
        self._rows: dict[str, Tensor | None] = {}
        self._permitted: dict[str, Tensor | None] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        for block in layout.blocks:
            layer, path = model.get_submodule(block.layer), block.attention
            if hasattr(layer, "maybe_pad"):
                layer.register_forward_pre_hook(self._remember_size(path), with_kwargs=True)
            attention = model.get_submodule(path)
            parameters = tuple(inspect.signature(attention.forward).parameters)
            attention.register_forward_pre_hook(
                self._attention_starts(path, layer, parameters), with_kwargs=True
            )

    def _encoder_starts(self, path: str, encoder: nn.Module) -> Any:
        parameters = tuple(inspect.signature(encoder.forward).parameters)

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            named = dict(zip(parameters, args, strict=False)) | kwargs
            own = _tokens(named.get("attention_mask"))
            if self._several:
                self._encoders[path] = own
            elif own is not None:
                self.tokens = own

        return hook

    def _tokens_at(self, path: str) -> Tensor | None:
        """Of the encoder that a module is in."""
        if not self._several:
            return self.tokens
        roots = (own for root, own in self._encoders.items() if f"{path}.".startswith(f"{root}."))
        return next(roots, self.tokens)

    def _remember_size(self, path: str) -> Any:
        def hook(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._sizes[path] = args[1] if len(args) > 1 else kwargs["input_dimensions"]

        return hook

    def _attention_starts(self, path: str, layer: nn.Module, parameters: tuple[str, ...]) -> Any:
        def hook(attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            # MobileBERT's takes three tensors before the mask
            named = dict(zip(parameters, args, strict=False)) | kwargs
            hidden = next(iter(named.values()))
            given = named.get("attention_mask", named.get("mask"))  # T5 calls it so
            self._rows[path] = self._tokens_at(path)
            if path in self._sizes:
                self._rows[path] = _real_pixels(layer, self._sizes[path], hidden)
            self._permitted[path] = self._pairs(given, len(hidden))

        return hook

    def _pairs(self, given: Any, batch: int) -> Tensor | None:
        """(B or 1, H or 1, T, T): pairs of query and key that attention's own mask permits."""
        if not isinstance(given, Tensor):
            return None
        permitted = given if given.dtype == torch.bool else given >= self._forbidden
        if permitted.ndim == 3:  # Swin: (windows, T, T), the same for each picture
            permitted = permitted.repeat(batch // len(permitted), 1, 1).unsqueeze(1)
        return permitted

    def counted(self, site: Site) -> Tensor | None:
        """True where an entry counts, broadcastable to the site's values; None where all of them do.

        >>> from torch import nn
        >>> masks = Masks(nn.Linear(1, 1), Layout("plain network"), torch.tensor([[1, 1, 0]]))
        >>> masks.counted(Site("embed", "out", "tokens")).shape, masks.counted(Site("0", "out"))
        (torch.Size([1, 3, 1]), None)
        """
        if site.axes == "any":
            return None
        if site.axes == "tokens":
            tokens = self._tokens_at(site.module)
            return None if tokens is None else tokens.unsqueeze(-1)
        rows = self._rows.get(site.block)
        if site.axes == "rows":
            return None if rows is None else rows.unsqueeze(-1)
        if site.axes == "heads":
            return None if rows is None else rows[:, None, :, None]
        permitted = self._permitted.get(site.block)
        if rows is None:
            return permitted
        pairs = rows[:, None, :, None] & rows[:, None, None, :]
        return pairs if permitted is None else pairs & permitted


def _tokens(mask: Any) -> Tensor | None:
    return mask.bool() if isinstance(mask, Tensor) and mask.ndim == 2 else None


def _real_pixels(layer: Any, size: tuple[int, int], windows: Tensor) -> Tensor | None:
    """(B * windows, window^2): False where Swin pads a picture whose side is no multiple of the window."""
    real = torch.ones(1, *size, 1, device=windows.device)
    padded, _ = layer.maybe_pad(real, *size)
    if padded.shape == real.shape:
        return None
    padded = layer.cyclic_shift(padded)
    _, height, width, _ = padded.shape
    side = int(layer.window_size)
    parts = padded.view(height // side, side, width // side, side).transpose(1, 2).reshape(-1, side * side)
    return parts.bool().repeat(len(windows) // len(parts), 1)
