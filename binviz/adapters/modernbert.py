"""ModernBERT as transformers names it: one linear for query, key and value, and one for the feed-forward part's two.

    embeddings.tok_embeddings, layers.N.{attn.{Wqkv, Wo}, mlp.{Wi, act, Wo}}

Positions are rotations of query and key (2104.09864), and most layers look at neighbours only (2412.13663). The first
half of Wi's output goes through the activation and multiplies the second: their product has both signs.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, paths_with

PARTS = {
    "query": "attn.Wqkv",
    "key": "attn.Wqkv",
    "value": "attn.Wqkv",
    "attn_out": "attn.Wo",
    "gate": "mlp.Wi",
    "fc1": "mlp.Wi",
    "fc2": "mlp.Wo",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a ModernBERT encoder, else None."""
    layers = paths_with(model, *PARTS.values(), "mlp.act", "attn_norm")
    tables = paths_with(model, "tok_embeddings", "norm")
    if not layers or not tables:
        return None
    found = Layout("ModernBERT", embed=tables[0], words=f"{tables[0]}.tok_embeddings")
    found.blocks = [
        block_of(i, path, act=("mlp", "act"), attention="attn", **PARTS) for i, path in enumerate(layers)
    ]
    return found
