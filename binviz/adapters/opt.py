"""OPT as transformers names it: a decoder whose layer has the parts of an encoder's.

decoder.layers.N.{self_attn.{q,k,v,out}_proj, fc1, activation_fn, fc2}, decoder.embed_tokens
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Block, Layout, paths_with

PARTS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2")


def layout(model: nn.Module) -> Layout | None:
    """The layout of an OPT decoder, else None."""
    layers = paths_with(model, *PARTS, "activation_fn")
    tables = paths_with(model, "embed_tokens", "embed_positions")
    if not layers or not tables:
        return None
    table = f"{tables[0]}.embed_tokens".lstrip(".")
    found = Layout("OPT", embed=table, words=table)
    found.blocks = [
        Block(
            name=f"layers.{i}",
            layer=path,
            attention=f"{path}.self_attn",
            query=f"{path}.self_attn.q_proj",
            key=f"{path}.self_attn.k_proj",
            value=f"{path}.self_attn.v_proj",
            attn_out=f"{path}.self_attn.out_proj",
            fc1=f"{path}.fc1",
            fc2=f"{path}.fc2",
            act=(path, "activation_fn"),
        )
        for i, path in enumerate(layers)
    ]
    return found
