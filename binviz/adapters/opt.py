"""OPT as transformers names it: a decoder whose layer has the parts of an encoder's.

decoder.layers.N.{self_attn.{q,k,v,out}_proj, fc1, activation_fn, fc2}, decoder.embed_tokens
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, paths_with

PARTS = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attn_out": "self_attn.out_proj",
    "fc1": "fc1",
    "fc2": "fc2",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of an OPT decoder, else None."""
    layers = paths_with(model, *PARTS.values(), "activation_fn")
    tables = paths_with(model, "embed_tokens", "embed_positions")
    if not layers or not tables:
        return None
    table = f"{tables[0]}.embed_tokens".lstrip(".")
    found = Layout("OPT", embed=table, words=table)
    found.blocks = [
        block_of(i, path, act=("", "activation_fn"), attention="self_attn", **PARTS)
        for i, path in enumerate(layers)
    ]
    return found
