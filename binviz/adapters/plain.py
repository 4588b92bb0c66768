"""Any other torch network: every linear and convolution but the first and the last one.

The first layer sees the input itself and the last one gives the answer; both stay float in the papers on
binary convolutional networks (XNOR-Net 1603.05279, Bi-Real 1808.00278).

There is a binary layer for `nn.Linear` and `nn.Conv2d`; other convolutions stay float, and count as first or last.
torch's own attention and encoder layers read their linears' weights without calling them, and a subclass of
nn.Linear may do anything, so these stay float as well.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.layout import Layout
from binviz.layers import BinaryConv2d, BinaryLinear

LAYERS = (nn.Linear, nn.Conv2d, BinaryLinear, BinaryConv2d)
#: Layers that stay float wherever they are.
OTHERS = (nn.Conv1d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
#: torch's modules that use the weights of the linears inside them directly.
BYPASSING = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


def layout(model: nn.Module) -> Layout | None:
    """The layout of a network with at least three linears or convolutions, of which one can be binary, else None."""
    bypassed = below(model, BYPASSING)
    inside = below(model, (BinaryLinear, BinaryConv2d))
    paths, stay = [], {}
    for path, module in model.named_modules():
        if not isinstance(module, (nn.Linear, nn.Conv2d, *OTHERS)) or path in inside:
            continue
        if path in bypassed:
            stay[path] = "used by torch's attention, not called"
        elif isinstance(module, OTHERS):
            paths.append(path)
            stay[path] = f"no binary {type(module).__name__}"
        elif type(module) not in LAYERS:
            stay[path] = "no plain layer"
        else:
            paths.append(path)
    others = {path: path for path in paths[1:-1] if path not in stay}
    if not others:
        return None
    ends = {paths[0]: "first layer", paths[-1]: "last layer"}
    return Layout("plain network", others=others, stay=ends | stay)


def below(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> set[str]:
    """Paths of all modules inside modules of these kinds."""
    return {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, kinds)
        for name, _ in module.named_modules()
        if name
    }
