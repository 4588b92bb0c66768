"""BERT and its family as transformers names them: BERT, RoBERTa, ELECTRA, CamemBERT.

embeddings.word_embeddings, encoder.layer.N.{attention.{self.{query,key,value}, output.dense},
intermediate.dense, output.dense}, pooler.dense
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Block, Layout, has, paths_with


def layout(model: nn.Module) -> Layout | None:
    """The layout of a BERT-like encoder, else None."""
    layers = paths_with(
        model,
        "attention.self.query",
        "attention.self.key",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    )
    tables = paths_with(model, "word_embeddings", "LayerNorm")
    if not layers or not tables:
        return None
    found = Layout("BERT", embed=tables[0], words=f"{tables[0]}.word_embeddings")
    for i, path in enumerate(layers):
        found.blocks.append(
            Block(
                name=f"layers.{i}",
                layer=path,
                attention=f"{path}.attention.self",
                query=f"{path}.attention.self.query",
                key=f"{path}.attention.self.key",
                value=f"{path}.attention.self.value",
                attn_out=f"{path}.attention.output.dense",
                fc1=f"{path}.intermediate.dense",
                fc2=f"{path}.output.dense",
                act=(f"{path}.intermediate", "intermediate_act_fn"),
            )
        )
    base = tables[0].removesuffix("embeddings")
    if has(model, f"{base}pooler.dense"):
        found.others["pooler"] = f"{base}pooler.dense"
    return found
