"""DistilBERT as transformers names it.

embeddings.word_embeddings, transformer.layer.N.{attention.{q,k,v,out}_lin, ffn.{lin1, activation, lin2}}
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, paths_with

PARTS = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "attn_out": "attention.out_lin",
    "fc1": "ffn.lin1",
    "fc2": "ffn.lin2",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a DistilBERT encoder, else None."""
    layers = paths_with(model, *PARTS.values(), "ffn.activation")
    tables = paths_with(model, "word_embeddings", "LayerNorm")
    if not layers or not tables:
        return None
    found = Layout("DistilBERT", embed=tables[0], words=f"{tables[0]}.word_embeddings")
    found.blocks = [
        block_of(i, path, act=("ffn", "activation"), attention="attention", **PARTS)
        for i, path in enumerate(layers)
    ]
    return found
