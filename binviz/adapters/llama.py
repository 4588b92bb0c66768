"""LLaMA as transformers names it, and what is built like it (Mistral, Qwen2): a decoder with a gate.

    layers.N.{self_attn.{q,k,v,o}_proj, mlp.{gate_proj, up_proj, act_fn, down_proj}}, embed_tokens

The second feed-forward linear is given act(gate) * up, which has both signs whatever the activation. Keys and values
may be shared by several heads (grouped-query attention, 2305.13245).
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Block, Layout, paths_with

PARTS = (
    *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
    *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "mlp.act_fn"),
)


def layout(model: nn.Module) -> Layout | None:
    """The layout of a LLaMA-like decoder, else None."""
    layers = paths_with(model, *PARTS)
    tables = paths_with(model, "embed_tokens", "norm")
    if not layers or not tables:
        return None
    table = f"{tables[0]}.embed_tokens".lstrip(".")
    found = Layout("LLaMA", embed=table, words=table)
    found.blocks = [
        Block(
            name=f"layers.{i}",
            layer=path,
            attention=f"{path}.self_attn",
            query=f"{path}.self_attn.q_proj",
            key=f"{path}.self_attn.k_proj",
            value=f"{path}.self_attn.v_proj",
            attn_out=f"{path}.self_attn.o_proj",
            fc1=f"{path}.mlp.up_proj",
            fc2=f"{path}.mlp.down_proj",
            act=(f"{path}.mlp", "act_fn"),
            gate=f"{path}.mlp.gate_proj",
        )
        for i, path in enumerate(layers)
    ]
    return found
