"""Models of several encoders (a text and an image tower): each one's layout, and what no adapter knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from torch import nn

from binviz.adapters.layout import Adapter, Block, Layout

#: How the linear is called that makes queries, or queries with keys and values.
QUERY = re.compile(r"(to_|w)?q(uery|kv)?(_\w+)?$", re.IGNORECASE)


def encoder_paths(model: nn.Module, adapters: Sequence[Adapter], path: str = "") -> list[str]:
    """Paths of the smallest modules in which an adapter finds an encoder, one with blocks, in module order."""
    if _encoder(model, adapters) is None:
        return []
    below = [
        found
        for name, child in model.named_children()
        for found in encoder_paths(child, adapters, f"{path}.{name}".lstrip("."))
    ]
    return below or [path]


def _encoder(model: nn.Module, adapters: Sequence[Adapter]) -> Layout | None:
    layouts = (adapter(model) for adapter in adapters)
    return next((layout for layout in layouts if layout is not None and layout.blocks), None)


def layout_of_several(model: nn.Module, paths: Sequence[str], adapters: Sequence[Adapter]) -> Layout:
    """The layout of a model with an encoder at each of these paths."""
    encoders = {}
    for path in paths:
        encoder = model.get_submodule(path)
        found = _encoder(encoder, adapters)
        assert found is not None
        encoders[path] = below(found, path)
    whole = Layout(" and ".join(part.architecture for part in encoders.values()), encoders=encoders)
    for path, part in encoders.items():
        whole.blocks += [replace(block, name=f"{path}.{block.name}") for block in part.blocks]
        whole.others |= {f"{path}.{name}": place for name, place in part.others.items()}
        whole.inputs |= {f"{path}.{name}": place for name, place in part.inputs.items()}
        whole.stay |= part.stay
    return whole


def below(layout: Layout, path: str) -> Layout:
    """The same layout in a model that has this one at a path; its names stay."""

    def moved(place: str) -> str:
        return f"{path}.{place}" if place else place

    def block_below(block: Block) -> Block:
        places = {
            f.name: moved(getattr(block, f.name)) for f in fields(block) if f.name not in ("name", "act")
        }
        return replace(block, act=(moved(block.act[0]), block.act[1]), **places)

    return Layout(
        layout.architecture,
        [block_below(block) for block in layout.blocks],
        layout.embed and moved(layout.embed),
        layout.words and moved(layout.words),
        {name: moved(place) for name, place in layout.others.items()},
        {moved(place): why for place, why in layout.stay.items()},
        inputs={name: moved(place) for name, place in layout.inputs.items()},
    )


def unknown_layers(model: nn.Module, layout: Layout) -> str:
    """Path of the first list of layers whose attention is in no block of the layout; empty if there is none.

    One attention in a head is no layer of an encoder; one in an entry of a list is.
    """
    known = tuple(block.attention for block in layout.blocks)
    for path, module in model.named_modules():
        if not isinstance(module, nn.ModuleList | nn.Sequential):
            continue
        for place in attentions(module, path):
            if not f"{place}.".startswith(tuple(f"{attention}." for attention in known)):
                return path
    return ""


def attentions(model: nn.Module, path: str = "") -> Iterator[str]:
    """Paths of the modules that have a linear for queries, and of torch's own attentions.

    >>> list(attentions(nn.Sequential(nn.Linear(8, 8), nn.MultiheadAttention(8, 2))))
    ['1']
    """
    for name, module in model.named_modules(prefix=path):
        queries = any(isinstance(c, nn.Linear) and QUERY.match(n) for n, c in module.named_children())
        if queries or isinstance(module, nn.MultiheadAttention):
            yield name
