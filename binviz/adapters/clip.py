"""A tower of CLIP or SigLIP, of pictures or of text, as transformers names them.

    encoder.layers.N.{self_attn.{q,k,v,out}_proj, layer_norm1, mlp.{fc1, activation_fn, fc2}}
    embeddings.patch_embedding or embeddings.token_embedding

The patch embedding stays float, as in ViT, and SigLIP's pooling head too: its attention is torch's own.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, has, paths_with

PARTS = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attn_out": "self_attn.out_proj",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a tower, of the first one where there are several; None for anything else."""
    blocks = paths_with(model, *PARTS.values(), "layer_norm1", "mlp.activation_fn")
    towers = [path.partition("encoder.layers.")[0] for path in blocks if "encoder.layers." in path]
    tower = next((tower for tower in towers if has(model, f"{tower}embeddings")), None)
    if tower is None:
        return None
    layers = [path for path in blocks if path.startswith(f"{tower}encoder.layers.")]
    before = f"{tower}pre_layrnorm"  # transformers' own spelling
    found = Layout("CLIP", embed=before if has(model, before) else f"{tower}embeddings")
    if has(model, f"{tower}embeddings.token_embedding"):
        found.words = f"{tower}embeddings.token_embedding"
    found.stay[f"{tower}embeddings.patch_embedding"] = "patch embedding"
    found.stay |= {
        f"{tower}head.{part}": "pooling head" for part in ("attention.out_proj", "mlp.fc1", "mlp.fc2")
    }
    found.blocks = [
        block_of(i, path, act=("mlp", "activation_fn"), attention="self_attn", **PARTS)
        for i, path in enumerate(layers)
    ]
    return found
