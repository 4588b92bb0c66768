"""ViT and DeiT as transformers 5 names them.

    layers.N.{attention.{q,k,v,o}_proj, layernorm_before, layernorm_after, mlp.{fc1, activation_fn, fc2}}

The patch embedding, "patches", and the classification head stay float, as in BiViT (2211.07091); the first is a
convolution whose kernel is its stride, which sees the picture itself, and binary where a recipe binarizes pictures.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Block, Layout, block_of, paths_with, with_binary_inputs

PARTS = {
    "query": "attention.q_proj",
    "key": "attention.k_proj",
    "value": "attention.v_proj",
    "attn_out": "attention.o_proj",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}


def block(i: int, path: str) -> Block:
    """The block at a path; those of Swin and DINOv2 are built alike."""
    return block_of(i, path, act=("mlp", "activation_fn"), attention="attention", **PARTS)


def layout(model: nn.Module) -> Layout | None:
    """The layout of a ViT or DeiT encoder, else None."""
    layers = paths_with(model, *PARTS.values(), "layernorm_before")
    tables = paths_with(model, "patch_embeddings.projection")
    if not layers or not tables or paths_with(model, "downsample.reduction"):
        return None
    patches = f"{tables[0]}.patch_embeddings.projection"
    found = Layout("ViT", embed=tables[0], stay={patches: "patch embedding"}, inputs={"patches": patches})
    found.blocks = [block(i, path) for i, path in enumerate(layers)]
    return with_binary_inputs(model, found)
