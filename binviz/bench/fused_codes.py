"""The bits inside fused layers beside the codes of the layers that they replace.

A fused call shows the bits of its last layer only, so here every layer is a fused call of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from binviz_kernels.encoder import Codes, PackedEncoder, encoder, prepare_encoder, unpack_codes
from numpy.typing import NDArray
from torch import nn

from binviz.adapters import layout_of
from binviz.analysis.capture import Captured, capture
from binviz.packed.fold import fold_layer
from binviz.packed.fused import LONGEST

#: Site -> (codes that differ, codes compared)
Flips = dict[str, tuple[int, int]]


class Compared(NamedTuple):
    """Flips of layers given what entered the model's own, and given what left the layer before."""

    equal_inputs: Flips
    end_to_end: Flips


@torch.no_grad()
def fused_layers(model: nn.Module) -> list[PackedEncoder]:
    """Every layer of a binarized BERT or ViT as an encoder of its own.

    Raises:
        binviz.packed.fold.NotFoldable: a layer runs as it is.
    """
    folded = (fold_layer(model, block, LONGEST) for block in layout_of(model).blocks)
    return [
        prepare_encoder([layer], head=head, norm_first=norm_first, epsilon=epsilon)
        for layer, head, epsilon, norm_first in folded
    ]


def compare(model: nn.Module, layers: list[PackedEncoder], batch: Mapping[str, Any]) -> Compared:
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
        y, words = encoder(x, layers[i], allowed)
        for site, bits in _by_site(unpack_codes(words, layers[i]), x.shape, layers[i].head).items():
            name = f"layers.{i}.{site}.code"
            flips[name] = _count(captured, name, bits)
        return y

    x = captured["layers.0.resid_in"]
    for i in range(len(layers)):
        run(captured[f"layers.{i}.resid_in"], i, compared.equal_inputs)
        x = run(x, i, compared.end_to_end)
    return compared


def _by_site(codes: Codes, shape: tuple[int, ...], head: int) -> dict[str, NDArray[np.bool_]]:
    """The bits under the names of `binviz.analysis.capture`, and in its shapes."""
    B, L, _ = shape
    inputs = np.broadcast_to(codes.inputs, (3, *codes.inputs.shape[1:]))
    projected = codes.qkv.reshape(3, B, L, -1, head).transpose(0, 1, 3, 2, 4)
    rows = {"context": codes.context, "ffn_in": codes.ffn_in, "ffn_act": codes.ffn}
    return {
        **{f"{role}_in": bits.reshape(B, L, -1) for role, bits in zip("qkv", inputs, strict=True)},
        **dict(zip("qkv", projected, strict=True)),
        **{site: bits.reshape(B, L, -1) for site, bits in rows.items()},
    }


def _count(captured: Captured, name: str, bits: NDArray[np.bool_]) -> tuple[int, int]:
    counted = captured.counted(name)
    differ = bits != (captured[name] > 0)
    if counted is None:
        return int(differ.sum()), differ.size
    return int(differ[np.broadcast_to(counted, differ.shape)].sum()), len(captured.flat(name))
