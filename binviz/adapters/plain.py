"""Any other torch network: every linear and convolution but the first and the last ones.

The first layer sees the input itself and the last one gives the answer; both stay float in the papers on
binary convolutional networks (XNOR-Net 1603.05279, Bi-Real 1808.00278). Which ones these are is seen where the
network's `forward` can be run on symbols (`binviz.adapters.flow`): all that no layer is before, and all that no layer
is behind, such as several heads. Layers that it does not call stay float as well. Where it cannot be run so, they are
the first and the last one in the order in which the network has them, and the reasons say that this was not seen.

There is a binary layer for `nn.Linear` and `nn.Conv2d`; other convolutions stay float, and count as first or last.
torch's own attention and encoder layers read their linears' weights without calling them, and a subclass of
nn.Linear may do anything, so these stay float as well.
"""

from __future__ import annotations

from torch import nn

from binviz.adapters.flow import flow_of
from binviz.adapters.layout import Layout
from binviz.layers import BinaryConv2d, BinaryLinear

LAYERS = (nn.Linear, nn.Conv2d, BinaryLinear, BinaryConv2d)
#: Layers that stay float wherever they are.
OTHERS = (nn.Conv1d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
#: torch's modules that use the weights of the linears inside them directly.
BYPASSING = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


#: Behind the reasons that go by the order of the modules.
UNSEEN = " in the order of the modules (forward cannot be followed)"


def layout(model: nn.Module) -> Layout | None:
    """The layout of a network with a linear or a convolution between others that can be binary, else None."""
    paths, stay = _layers(model)
    flow = flow_of(model, paths)
    if flow is None:
        return _layout(paths, _ends(paths, UNSEEN) | stay)
    ends: dict[str, str] = {}
    for path in paths:
        if path not in flow.called:
            ends[path] = (
                "its weight is read, it is not called" if path in flow.read else "not called by forward"
            )
        elif path in flow.last:
            ends[path] = "last layer"
        elif path in flow.first:
            ends[path] = "first layer"
    return _layout(paths, ends | stay)


def layout_in_order(model: nn.Module) -> Layout | None:
    """The layout of a network that is known to run its layers in the order in which it has them."""
    paths, stay = _layers(model)
    return _layout(paths, _ends(paths) | stay)


def _layers(model: nn.Module) -> tuple[list[str], dict[str, str]]:
    """Paths of linears and convolutions that are called, in module order; and why some stay float wherever they are."""
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
    return paths, stay


def _ends(paths: list[str], seen: str = "") -> dict[str, str]:
    return {paths[0]: f"first layer{seen}", paths[-1]: f"last layer{seen}"} if paths else {}


def _layout(paths: list[str], stay: dict[str, str]) -> Layout | None:
    others = {path: path for path in paths if path not in stay}
    return Layout("plain network", others=others, stay=stay) if others else None


def below(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> set[str]:
    """Paths of all modules inside modules of these kinds."""
    return {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, kinds)
        for name, _ in module.named_modules()
        if name
    }
