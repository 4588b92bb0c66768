"""GPT-2 as transformers names it: a decoder with one layer for query, key and value.

    wte, wpe, drop, h.N.{attn.{c_attn, c_proj}, mlp.{c_fc, act, c_proj}}

Its layers are transformers' `Conv1D`, linears whose weight lies (in, out); their binary twins are linears like all
others, with the weight (out, in). Attention to an encoder's output, where a model has it, stays float.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, paths_with

PARTS = {
    "query": "attn.c_attn",
    "key": "attn.c_attn",
    "value": "attn.c_attn",
    "attn_out": "attn.c_proj",
    "fc1": "mlp.c_fc",
    "fc2": "mlp.c_proj",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a GPT-2 decoder, else None."""
    layers = paths_with(model, *PARTS.values(), "mlp.act", "ln_1")
    tables = paths_with(model, "wte", "wpe", "drop")
    if not layers or not tables:
        return None
    embed, words = (f"{tables[0]}.{part}".lstrip(".") for part in ("drop", "wte"))
    found = Layout("GPT-2", embed=embed, words=words)
    found.blocks = [
        block_of(i, path, act=("mlp", "act"), attention="attn", **PARTS) for i, path in enumerate(layers)
    ]
    return found
