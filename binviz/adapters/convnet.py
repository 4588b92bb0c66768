"""Convolutional networks of transformers: ResNet, RegNet, ConvNeXt, MobileNet.

Nothing in them looks at other positions but convolutions, all plain and all called, so the rule of plain networks
holds: every linear and convolution but the first and the last one. `keep_float=("*shortcut*",)` leaves the
convolutions float that only fit a residual to the next stage, as Bi-Real Net's code does (1808.00278).
"""

from __future__ import annotations

from torch import nn

from binviz.adapters import plain
from binviz.adapters.layout import Layout

FAMILIES = {
    "resnet": "ResNet",
    "regnet": "RegNet",
    "convnext": "ConvNeXt",
    "convnextv2": "ConvNeXt V2",
    "mobilenet_v1": "MobileNet",
    "mobilenet_v2": "MobileNet V2",
}


def layout(model: nn.Module) -> Layout | None:
    """The layout of such a network, else None; None for a model of which it is only a part, as of DETR."""
    homes = [type(module).__module__.split(".") for module in model.modules()]
    families = {home[2] for home in homes if home[:2] == ["transformers", "models"]}
    if len(families) != 1 or not families <= FAMILIES.keys():
        return None
    found = plain.layout_in_order(model)
    if found is not None:
        found.architecture = FAMILIES[families.pop()]
    return found
