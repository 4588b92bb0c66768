"""The places of a model that can be looked at, under canonical names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from torch import nn

from binviz.adapters import encoders_of
from binviz.adapters.layout import Block, Layout
from binviz.adapters.plain import below
from binviz.errors import UserError, near
from binviz.layers import BinaryConv2d, BinaryLinear

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the axes of a value are, which says how padding lies in it. "tokens": (B, T, ...). "rows": (B, T, ...) as
#: attention sees them, in windows for Swin. "heads": (B, H, T, D). "pairs": (B, H, T, T). "any": no padding.
Axes = Literal["tokens", "rows", "heads", "pairs", "any"]


@dataclass(frozen=True)
class Site:
    """One place.

    module: path of the module to listen to. part: "in" or "out" of the module, or one of its taps.
    axes: of the value. block: path of the attention module whose masks apply. view: of a tapped code, its
    integers ("code") or what the network makes of them ("decoded").

    >>> Site("encoder.layer.0.output.dense", "in", "tokens")
    Site(module='encoder.layer.0.output.dense', part='in', axes='tokens', block='', view='value')
    """

    module: str
    part: str
    axes: Axes = "any"
    block: str = ""
    view: Literal["value", "code", "decoded"] = "value"


def layout_for_reading(model: nn.Module) -> Layout:
    """As `binviz.adapters.layout_of`, but any network can be read, also one that cannot be binarized.

    >>> layout_for_reading(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))).others
    {'0': '0', '2': '2'}
    """
    found = encoders_of(model)
    if found is not None and found.blocks:
        return found
    inside = below(model, (BinaryLinear, BinaryConv2d))  # parts of binarizers
    paths = [
        path
        for path, module in model.named_modules()
        if path and path not in inside and isinstance(module, nn.Linear | nn.Conv2d)
    ]
    return Layout("plain network", others={path: path for path in paths})


def sites(model: nn.Module, layout: Layout) -> dict[str, Site]:
    """Canonical name -> place, in the order in which the model runs or, in a plain network, names them.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> {name: (site.module, site.part) for name, site in sites(network, layout_for_reading(network)).items()}
    {'0.in': ('0', 'in'), '0': ('0', 'out'), '1': ('1', 'out')}
    """
    found: dict[str, Site] = {}
    if layout.encoders:
        for path, encoder in layout.encoders.items():
            for name, site in sites(model, encoder).items():
                # Pictures have no padding
                found[f"{path}.{name}"] = site if encoder.words else replace(site, axes="any")
        return found
    if layout.blocks:
        if layout.words:
            found["words"] = Site(layout.words, "out", "tokens")
            _add_codes(found, model, "words", found["words"])
        for name, path in layout.inputs.items():
            if name in layout.others:
                _add_layer(found, model, name, path)
        if layout.embed:
            found["embed"] = Site(layout.embed, "out", "tokens")
        for block in layout.blocks:
            _add_block(found, model, block)
        for name, path in layout.others.items():
            if name not in layout.inputs:
                _add_layer(found, model, name, path)
        return found
    inside = tuple(f"{path}." for path in layout.others)  # binarizers, not layers
    for path, _ in model.named_modules():
        if path in layout.others:
            _add_layer(found, model, path, path)
        elif path and not path.startswith(inside):
            found[path] = Site(path, "out")
    return found


def _add_layer(found: dict[str, Site], model: nn.Module, name: str, path: str) -> None:
    found[f"{name}.in"] = Site(path, "in")
    _add_codes(found, model, name, found[f"{name}.in"])
    found[name] = Site(path, "out")


def _add_codes(found: dict[str, Site], model: nn.Module, name: str, at: Site) -> None:
    """`.pre`, `.code` and `.decoded` of a binary layer's input."""
    layer = model.get_submodule(at.module)
    if getattr(layer, "activation_binarizer", None) is None and not (
        isinstance(layer, nn.Embedding) and hasattr(layer, "weight_binarizer")
    ):
        return
    found[f"{name}.pre"] = replace(at, part="pre")
    found[f"{name}.code"] = replace(at, part="code", view="code")
    found[f"{name}.decoded"] = replace(at, part="code", view="decoded")


def _add_block(found: dict[str, Site], model: nn.Module, block: Block) -> None:
    attention = block.attention
    binary = getattr(model.get_submodule(attention), "binary", None)
    scores = binary is not None and binary.attention_on == "scores"

    def add_input(part: str, path: str, axes: Axes) -> None:
        name = f"{block.name}.{part}"
        found[name] = Site(path, "in", axes, attention)
        _add_codes(found, model, name, found[name])

    def add_operand(part: str, axes: Axes, role: str) -> None:
        name = f"{block.name}.{part}"
        found[name] = Site(attention, part, axes, attention)
        if getattr(binary, f"{role}_binarizer", None) is not None:
            found[f"{name}.pre"] = found[name]
            found[f"{name}.code"] = replace(found[name], part=f"{part}.code", view="code")
            found[f"{name}.decoded"] = replace(found[name], part=f"{part}.code", view="decoded")

    found[f"{block.name}.resid_in"] = Site(block.layer, "in", "tokens")
    for part, path, role in (
        ("q", block.query, "query"),
        ("k", block.key, "key"),
        ("v", block.value, "value"),
    ):
        add_input(f"{part}_in", path, "rows")
        add_operand(part, "heads", role)
    add_operand("scores", "pairs", "attention" if scores else "")
    if not scores:
        add_operand("probs", "pairs", "attention")
    add_input("context", block.attn_out, "rows")
    found[f"{block.name}.attn_out"] = Site(block.attn_out, "out", "rows", attention)
    add_input("ffn_in", block.fc1, "tokens")
    if block.gate:
        add_input("gate_in", block.gate, "tokens")
    add_input("ffn_act", block.fc2, "tokens")
    found[f"{block.name}.ffn_out"] = Site(block.fc2, "out", "tokens")


def select(model: nn.Module, layout: Layout, names: str | Sequence[str]) -> dict[str, Site]:
    """The places whose names match a pattern or one of several.

    A pattern that matches no canonical name is tried on the paths of modules, whose outputs it then means.

    Raises:
        UserError: a pattern matches neither; or there is none.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> list(select(network, layout_for_reading(network), ["0.*", "1"]))
    ['0.in', '1']
    """
    patterns = [names] if isinstance(names, str) else list(names)
    if not patterns:
        raise UserError("names is empty; '*' takes everything, names(model) lists what there is")
    everything = sites(model, layout)
    chosen: set[str] = set()
    modules = {path: Site(path, "out") for path, _ in model.named_modules() if path}
    for pattern in patterns:
        matches = [name for name in everything if fnmatchcase(name, pattern)]
        if not matches:
            matches = [path for path in modules if fnmatchcase(path, pattern)]
        if not matches:
            hint = near(pattern, [*everything, *modules], otherwise="names(model) lists what there is")
            raise UserError(f"nothing in this model is called {pattern!r}; {hint}")
        chosen.update(matches)
    others = {path: site for path, site in modules.items() if path not in everything}
    return {name: site for name, site in (everything | others).items() if name in chosen}
