"""ALBERT as transformers names it: few layers, each of which runs several times (1909.11942).

    embeddings.word_embeddings, encoder.embedding_hidden_mapping_in,
    encoder.albert_layer_groups.G.albert_layers.L.{attention.{query, key, value, dense}, ffn, activation, ffn_output},
    pooler

A block is a layer, however often it runs; what is captured of it is its last run.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, has, paths_with

PARTS = {
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "attn_out": "attention.dense",
    "fc1": "ffn",
    "fc2": "ffn_output",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of an ALBERT encoder, else None."""
    layers = paths_with(model, *PARTS.values(), "full_layer_layer_norm", "activation")
    tables = paths_with(model, "word_embeddings", "LayerNorm")
    if not layers or not tables:
        return None
    base = tables[0].removesuffix("embeddings")
    widened = f"{base}encoder.embedding_hidden_mapping_in"
    found = Layout("ALBERT", embed=widened, words=f"{tables[0]}.word_embeddings")
    found.stay[widened] = "projection of the word embedding"
    found.blocks = [
        block_of(i, path, act=("", "activation"), attention="attention", **PARTS)
        for i, path in enumerate(layers)
    ]
    if has(model, f"{base}pooler"):
        found.others["pooler"] = f"{base}pooler"
    return found
