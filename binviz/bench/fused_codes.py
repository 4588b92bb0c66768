"""The codes inside fused layers beside the codes of the layers that they replace.

A fused call shows the codes of its last layer only, so here every layer is a fused call of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from binviz_kernels.code_encoder import PackedCodeEncoder, code_encoder, unpack_code_words
from binviz_kernels.encoder import encoder, unpack_codes
from binviz_kernels.encoder_layers import Codes, PackedEncoder
from numpy.typing import NDArray
from torch import nn

from binviz.adapters import layout_of
from binviz.analysis.capture import Captured, capture
from binviz.packed.fold import fold_blocks
from binviz.packed.fused import LONGEST

#: Site -> (codes that differ, codes compared)
Flips = dict[str, tuple[int, int]]


class Compared(NamedTuple):
    """Flips of layers given what entered the model's own, and given what left the layer before."""

    equal_inputs: Flips
    end_to_end: Flips


Packed = PackedEncoder | PackedCodeEncoder


@torch.no_grad()
def fused_layers(model: nn.Module) -> list[Packed]:
    """Every layer of a binarized BERT or ViT as an encoder of its own.

    Raises:
        binviz.packed.ranges.NotFoldable: a layer runs as it is.
    """
    return [fold_blocks(model, [block], LONGEST) for block in layout_of(model).blocks]


def codes_of(x: NDArray[np.float32], layer: Packed, allowed: Any) -> tuple[NDArray[np.float32], Codes]:
    """What leaves a fused layer, and the codes inside it."""
    if isinstance(layer, PackedEncoder):
        y, words = encoder(x, layer, allowed)
        return y, unpack_codes(words, layer)
    y, code_words = code_encoder(x, layer, allowed)
    return y, unpack_code_words(code_words, layer)


def compare(model: nn.Module, layers: list[Packed], batch: Mapping[str, Any]) -> Compared:
    """Codes of one batch; padding does not count. Attention's own codes are not among what the kernels show.

    Args:
        model: whose codes are right.
        layers: from `fused_layers`.
        batch: arguments of the model.
    """
    captured = capture(model, batch, ["layers.*.resid_in", "layers.*.code"])
    allowed = None if captured.mask is None else np.asarray(captured.mask, bool)
    compared = Compared({}, {})

    def run(x: NDArray[np.float32], i: int, flips: Flips) -> NDArray[np.float32]:
        y, inside = codes_of(x, layers[i], allowed)
        for site, codes in _by_site(inside, x.shape, layers[i].head).items():
            name = f"layers.{i}.{site}.code"
            flips[name] = _count(captured, name, codes)
        return y

    x = captured["layers.0.resid_in"]
    for i in range(len(layers)):
        run(captured[f"layers.{i}.resid_in"], i, compared.equal_inputs)
        x = run(x, i, compared.end_to_end)
    return compared


def _by_site(codes: Codes, shape: tuple[int, ...], head: int) -> dict[str, NDArray[Any]]:
    """The codes under the names of `binviz.analysis.capture`, and in its shapes."""
    B, L, _ = shape
    inputs = np.broadcast_to(codes.inputs, (3, *codes.inputs.shape[1:]))
    projected = codes.qkv.reshape(3, B, L, -1, head).transpose(0, 1, 3, 2, 4)
    rows = {"context": codes.context, "ffn_in": codes.ffn_in, "ffn_act": codes.ffn}
    return {
        **{f"{role}_in": some.reshape(B, L, -1) for role, some in zip("qkv", inputs, strict=True)},
        **dict(zip("qkv", projected, strict=True)),
        **{site: some.reshape(B, L, -1) for site, some in rows.items()},
    }


def _count(captured: Captured, name: str, codes: NDArray[Any]) -> tuple[int, int]:
    counted, expected = captured.counted(name), captured[name]
    differ = codes != (expected > 0 if codes.dtype == np.bool_ else expected)
    if counted is None:
        return int(differ.sum()), differ.size
    return int(differ[np.broadcast_to(counted, differ.shape)].sum()), len(captured.flat(name))
