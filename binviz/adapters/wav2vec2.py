"""wav2vec 2.0 and what is built like it (HuBERT, data2vec-audio, UniSpeech), as transformers names them.

    feature_extractor.conv_layers.N.conv, feature_projection.projection, encoder.pos_conv_embed.conv,
    encoder.layers.N.{attention.{q,k,v,out}_proj, feed_forward.{intermediate_dense, intermediate_act_fn, output_dense}}

What makes frames of sound and of their positions stays float: one-dimensional convolutions, and a projection. SEW is
refused: its layers see fewer frames than the mask that they are given has.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, has, paths_with

PARTS = {
    "query": "attention.q_proj",
    "key": "attention.k_proj",
    "value": "attention.v_proj",
    "attn_out": "attention.out_proj",
    "fc1": "feed_forward.intermediate_dense",
    "fc2": "feed_forward.output_dense",
}
#: Part of the model -> why it stays float.
BEFORE = {
    "feature_extractor": "makes frames of sound",
    "feature_projection": "makes frames of sound",
    "pos_conv_embed": "makes positions of frames",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a wav2vec 2.0 encoder, else None."""
    layers = paths_with(model, *PARTS.values(), "feed_forward.intermediate_act_fn")
    encoders = paths_with(model, "pos_conv_embed", "layers", "dropout")
    if not layers or not encoders or has(model, f"{encoders[0]}.upsample".lstrip(".")):
        return None
    found = Layout("wav2vec 2.0", embed=f"{encoders[0]}.dropout".lstrip("."))
    for path, module in model.named_modules():
        for part, why in BEFORE.items():
            if part in path.split(".") and "norm" not in type(module).__name__.lower():
                found.stay[path] = why
    found.blocks = [
        block_of(i, path, act=("feed_forward", "intermediate_act_fn"), attention="attention", **PARTS)
        for i, path in enumerate(layers)
    ]
    return found
