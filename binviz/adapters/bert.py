"""BERT and its family as transformers names them: BERT, RoBERTa, ELECTRA, CamemBERT.

embeddings.word_embeddings, encoder.layer.N.{attention.{self.{query,key,value}, output.dense},
intermediate.dense, output.dense}, pooler.dense
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, has, paths_with

PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attn_out": "attention.output.dense",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a BERT-like encoder, else None."""
    layers = paths_with(model, *PARTS.values())
    tables = paths_with(model, "word_embeddings", "LayerNorm")
    if not layers or not tables:
        return None
    found = Layout("BERT", embed=tables[0], words=f"{tables[0]}.word_embeddings")
    act = ("intermediate", "intermediate_act_fn")
    found.blocks = [
        block_of(i, path, act=act, attention="attention.self", **PARTS) for i, path in enumerate(layers)
    ]
    base = tables[0].removesuffix("embeddings")
    if has(model, f"{base}pooler.dense"):
        found.others["pooler"] = f"{base}pooler.dense"
    return found
