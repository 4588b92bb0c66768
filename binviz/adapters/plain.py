"""Any other torch network: every linear and convolution but the first and the last one.

The first layer sees the input itself and the last one gives the answer; both stay float in the papers on
binary convolutional networks (XNOR-Net 1603.05279, Bi-Real 1808.00278).
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout


def layout(model: nn.Module) -> Layout | None:
    """The layout of a network with at least three linears or convolutions, else None."""
    paths = [path for path, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if len(paths) < 3:
        return None
    found = Layout("plain network", others={path: path for path in paths[1:-1]})
    found.stay = {paths[0]: "first layer", paths[-1]: "last layer"}
    return found
