"""The encoder of T5 as transformers names it (also of mT5, UMT5 and Flan-T5): where there is no decoder beside it.

    encoder.embed_tokens,
    encoder.block.N.{layer.0.SelfAttention.{q,k,v,o}, layer.1.DenseReluDense.{wi, act, wo}}, or wi_0 and wi_1

Positions are a bias that is added to the scores (1910.10683), as Swin's is. In the later models wi_0 is a gate. The
word embedding stays float where it has a second name, `shared`, as it has beside the bare stack of layers.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, has, paths_with

MIDDLE = "layer.1.DenseReluDense"
PARTS = {
    "query": "layer.0.SelfAttention.q",
    "key": "layer.0.SelfAttention.k",
    "value": "layer.0.SelfAttention.v",
    "attn_out": "layer.0.SelfAttention.o",
    "fc2": f"{MIDDLE}.wo",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a T5 encoder, else None."""
    layers = paths_with(model, *PARTS.values(), f"{MIDDLE}.act")
    stacks = paths_with(model, "embed_tokens", "block", "final_layer_norm")
    if not layers or not stacks:
        return None
    words = f"{stacks[0]}.embed_tokens".lstrip(".")
    found = Layout("T5", embed=words, words=words)
    table = model.get_submodule(words)
    twins = [
        path
        for path, module in model.named_modules()
        if module is not table and getattr(module, "weight", None) is table.weight
    ]
    if twins:
        found.words = None
        found.stay = dict.fromkeys([words, *twins], "word embedding with two names")
    for i, path in enumerate(layers):
        gated = has(model, f"{path}.{MIDDLE}.wi_0")
        middle = {"gate": f"{MIDDLE}.wi_0", "fc1": f"{MIDDLE}.wi_1"} if gated else {"fc1": f"{MIDDLE}.wi"}
        parts = PARTS | middle
        found.blocks.append(
            block_of(i, path, act=(MIDDLE, "act"), attention="layer.0.SelfAttention", **parts)
        )
    return found
