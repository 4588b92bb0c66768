"""Where the parts of an encoder are, under the same names in every architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import nn


@dataclass(frozen=True)
class Block:
    """One transformer layer; every field but `name` is a module path in the model.

    name: canonical, "layers.3". layer: the whole block. attention: the module whose attention function
    transformers calls. query, key, value, attn_out, fc1, fc2: linears. act: (path of the module, attribute)
    that holds the feed-forward activation. gate: the linear whose activated output fc1's is multiplied with, if any.
    Where one linear gives several of these, they have the same path.
    """

    name: str
    layer: str
    attention: str
    query: str
    key: str
    value: str
    attn_out: str
    fc1: str
    fc2: str
    act: tuple[str, str]
    gate: str = ""

    def linears(self) -> dict[str, str]:
        """Canonical name -> module path of the linears: six, or seven with a gate, or fewer where some are one.

        Query, key and value that are one linear are called "qkv"; a gate in fc1 is "fc1".
        """
        parts = ["query", "key", "value", "attn_out", "gate", "fc1", "fc2"]
        if self.query == self.value:
            parts[:3] = ["qkv"]
        if self.gate in ("", self.fc1):
            parts.remove("gate")
        places = vars(self) | {"qkv": self.query}
        return {f"{self.name}.{part}": places[part] for part in parts}


def block_of(i: int, path: str, *, act: tuple[str, str], **parts: str) -> Block:
    """The i-th block, which is at a path; every part by its path below, "" for the block itself.

    >>> block = block_of(3, "encoder.3", act=("", "act"), attention="att", query="att.q", key="att.k", value="att.v",
    ...                  attn_out="att.o", fc1="up", fc2="down")
    >>> block.name, block.query, block.act
    ('layers.3', 'encoder.3.att.q', ('encoder.3', 'act'))
    """
    owner, attribute = act
    below = {part: f"{path}.{name}" for part, name in parts.items()}
    return Block(name=f"layers.{i}", layer=path, act=(f"{path}.{owner}".rstrip("."), attribute), **below)


@dataclass
class Layout:
    """A model's parts.

    blocks: in order. embed: path of the module whose output enters the first block. words: path of the
    word embedding, if any. others: canonical name -> path of further layers to binarize (a pooler; all
    layers of a plain network). inputs: canonical name -> path of the layers that see the picture itself, which stay
    float unless a recipe binarizes pictures; where they are binary, they are in others too. stay: path -> why it stays
    float. encoders: of a model of several, path -> its
    layout, in the model's paths and its own names; embed and words are None then, and every canonical name of the
    model begins with the encoder's path. root: of a model of one, its path, where an adapter has looked for it.
    """

    architecture: str
    blocks: list[Block] = field(default_factory=list)
    embed: str | None = None
    words: str | None = None
    others: dict[str, str] = field(default_factory=dict)
    stay: dict[str, str] = field(default_factory=dict)
    encoders: dict[str, Layout] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    root: str | None = None

    @property
    def tables(self) -> dict[str, str]:
        """Canonical name -> path of the word embeddings: "embed", or one for each encoder of several."""
        if self.words:
            return {"embed": self.words}
        return {f"{path}.embed": part.words for path, part in self.encoders.items() if part.words}


def with_binary_inputs(model: nn.Module, layout: Layout) -> Layout:
    """The same layout of a model, with those of its inputs that are binary there among the others.

    >>> found = Layout("own", others={"1": "1"}, inputs={"0": "0"})
    >>> network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> list(with_binary_inputs(network, found).others)
    ['1']
    >>> network[0].activation_binarizer = None  # as a binary layer has one
    >>> list(with_binary_inputs(network, found).others)
    ['0', '1']
    """
    binary = {
        name: path
        for name, path in layout.inputs.items()
        if hasattr(model.get_submodule(path), "activation_binarizer")
    }
    return replace(layout, others=binary | layout.others)


#: An adapter looks at a model and returns its layout, or None where it is not of its kind.
Adapter = Callable[[nn.Module], Layout | None]


def has(model: nn.Module, *paths: str) -> bool:
    """Whether every dotted path leads to a submodule."""
    for path in paths:
        try:
            model.get_submodule(path)
        except AttributeError:
            return False
    return True


def paths_with(model: nn.Module, first: str, *others: str) -> list[str]:
    """Paths of the submodules under which all these paths exist, in module order.

    Every adapter asks this of every part of a model, so it goes through the modules once, and on its own:
    `named_modules` hands each one up through all that it lies in.

    >>> paths_with(nn.ModuleDict({"a": nn.Sequential(nn.ReLU()), "b": nn.Sequential()}), "0")
    ['a']
    """
    steps = [path.split(".") for path in (first, *others)]
    begins = steps[0][0]
    found: list[str] = []
    seen: set[nn.Module] = set()
    ahead = [("", model)]
    while ahead:
        path, module = ahead.pop()
        if module in seen:
            continue
        seen.add(module)
        parts = module._modules
        if begins in parts and all(_leads(module, names) for names in steps):
            found.append(path)
        for name in reversed(parts):
            if (part := parts[name]) is not None:
                ahead.append((f"{path}.{name}" if path else name, part))
    return found


def _leads(module: nn.Module, names: Sequence[str]) -> bool:
    for name in names:
        part = module._modules.get(name)
        if part is None:
            return False
        module = part
    return True
