"""Swin as transformers 5 names it.

    encoder.layers.S.{blocks.B.{attention.{q,k,v,o}_proj, mlp.{fc1, activation_fn, fc2}}, downsample.reduction}

Blocks are counted through all stages. The patch embedding, the down-sampling between stages and the head stay
float, as in BiViT (2211.07091). Attention maps are of windows: (B * windows, heads, window^2, window^2).
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, paths_with
from binviz.adapters.vit import PARTS, block


def layout(model: nn.Module) -> Layout | None:
    """The layout of a Swin encoder, else None."""
    layers = paths_with(model, *PARTS.values(), "attention.relative_position_bias")
    tables = paths_with(model, "patch_embeddings.projection")
    if not layers or not tables:
        return None
    found = Layout(
        "Swin", embed=tables[0], stay={f"{tables[0]}.patch_embeddings.projection": "patch embedding"}
    )
    found.stay |= {
        f"{path}.downsample.reduction": "down-sampling" for path in paths_with(model, "downsample.reduction")
    }
    found.blocks = [block(i, path) for i, path in enumerate(layers)]
    return found
