"""DINOv2 and DINOv3 as transformers names them: ViTs with a learned scale behind each part.

    v2  encoder.layer.N.{norm1, attention.{q,k,v,o}_proj, norm2, mlp.{fc1, activation_fn, fc2}}
    v3  model.layer.N.{norm1, attention.{q,k,v,o}_proj, norm2, mlp.{up_proj, act_fn, down_proj}}, with a gate in the
        largest models

The patch embedding stays float, as in ViT.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout, block_of, has, paths_with
from binviz.adapters.vit import PARTS, block

PARTS_V3 = PARTS | {"fc1": "mlp.up_proj", "fc2": "mlp.down_proj"}


def layout(model: nn.Module) -> Layout | None:
    """The layout of a DINOv2 or DINOv3 encoder, else None."""
    tables = paths_with(model, "patch_embeddings")
    if not tables:
        return None
    projection = f"{tables[0]}.patch_embeddings"
    if has(model, f"{projection}.projection"):
        projection = f"{projection}.projection"
    found = Layout("DINO", embed=tables[0], stay={projection: "patch embedding"})
    if layers := paths_with(model, *PARTS.values(), "norm1", "layer_scale1"):
        found.blocks = [block(i, path) for i, path in enumerate(layers)]
        return found
    for i, path in enumerate(paths_with(model, *PARTS_V3.values(), "norm1", "layer_scale1")):
        gate = {"gate": "mlp.gate_proj"} if has(model, f"{path}.mlp.gate_proj") else {}
        parts = PARTS_V3 | gate
        found.blocks.append(block_of(i, path, act=("mlp", "act_fn"), attention="attention", **parts))
    return found if found.blocks else None
