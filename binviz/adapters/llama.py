"""LLaMA as transformers names it, and what is built like it (Mistral, Qwen2): a decoder with a gate.

    layers.N.{self_attn.{q,k,v,o}_proj, mlp.{gate_proj, up_proj, act_fn, down_proj}}, embed_tokens

The second feed-forward linear is given act(gate) * up, which has both signs whatever the activation. Keys and values
may be shared by several heads (grouped-query attention, 2305.13245).
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, paths_with

PARTS = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attn_out": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "fc1": "mlp.up_proj",
    "fc2": "mlp.down_proj",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a LLaMA-like decoder, else None."""
    layers = paths_with(model, *PARTS.values(), "mlp.act_fn")
    tables = paths_with(model, "embed_tokens", "norm")
    if not layers or not tables:
        return None
    table = f"{tables[0]}.embed_tokens".lstrip(".")
    found = Layout("LLaMA", embed=table, words=table)
    found.blocks = [
        block_of(i, path, act=("mlp", "act_fn"), attention="self_attn", **PARTS)
        for i, path in enumerate(layers)
    ]
    return found
