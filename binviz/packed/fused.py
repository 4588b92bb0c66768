"""All layers of an encoder as one call of the kernels, in the place of the layers.

What the kernels cannot show or do (attention maps, hidden states, what a listener or a forward hook inside the
layers hears, masks that are more than yes and no, very long inputs, training) the layers do, one by one. So they do
from the moment that a state is loaded into the model, whose numbers are not the folded ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import torch
from binviz_kernels.code_encoder import PackedCodeEncoder, code_encoder
from binviz_kernels.encoder import encoder
from binviz_kernels.encoder_layers import PackedEncoder
from binviz_kernels.forms import CHOSEN
from torch import Tensor, nn

from binviz.adapters import Block, layout_of
from binviz.errors import UserError
from binviz.layers.attention import FORBIDDEN, HOOKS
from binviz.layers.tap import heard
from binviz.packed.fold import fold_blocks
from binviz.packed.known import known_layer
from binviz.packed.layers import without_graph
from binviz.packed.ranges import NotFoldable
from binviz.packed.windows import windows_of

#: Positions up to which context codes are folded; longer inputs run layer by layer.
LONGEST = 1024
#: Attribute of a packed model that holds why it is not fused.
REASON = "binviz_not_fused"
#: Where the hooks are from that transformers leaves on a model of which maps or states were asked once.
CAPTURING = "transformers.utils.output_capturing"
RECORDED = ("output_attentions", "output_hidden_states")


class FusedLayers(nn.ModuleList):
    """Layers of an encoder that run at once.

    Its entries are the layers, under the names that they always had. But who goes through them, as a model's
    `forward` does, meets a single module that does the work of all.

    Args:
        layers: which they are; they run where the kernels cannot.
        weights: the same layers, folded.
        config: of the model, which may ask for attention maps or hidden states.
    """

    def __init__(
        self, layers: Iterable[nn.Module], weights: PackedEncoder | PackedCodeEncoder, config: Any
    ) -> None:
        super().__init__(layers)
        self.weights: PackedEncoder | PackedCodeEncoder | None = weights
        self.config = config
        # Walking through the modules takes long beside a short input, so where they keep hooks is listed once
        self.hooks = tuple(
            hooks
            for layer in self.children()
            for part in layer.modules()
            for hooks in (part._forward_hooks, part._forward_pre_hooks)
        )
        self.floats = tuple(self.parameters())

    __repr__ = nn.Module.__repr__

    def __iter__(self) -> Iterator[nn.Module]:
        return iter([self])

    def __getitem__(self, index: int | slice) -> Any:
        """One layer, or a plain list of some."""
        if isinstance(index, slice):
            return nn.ModuleList(list(self._modules.values())[index])
        return super().__getitem__(index)

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, *rest: Any, **options: Any
    ) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        if self.ready(hidden_states, options):
            allowed = None if attention_mask is None else allowed_keys(attention_mask, hidden_states)
            by_query = allowed is not None and allowed.ndim == 3
            known = attention_mask is None or allowed is not None
            if known and not (by_query and isinstance(self.weights, PackedCodeEncoder)):
                keys = None if allowed is None else allowed.numpy()
                values = without_graph(hidden_states, self.floats).contiguous().numpy()
                if isinstance(self.weights, PackedCodeEncoder):
                    y, _ = code_encoder(values, self.weights, keys)
                else:
                    assert self.weights is not None
                    y, _ = encoder(values, self.weights, keys)
                return torch.from_numpy(y)
        for layer in self.children():
            hidden_states = layer(hidden_states, attention_mask, *rest, **options)
        return hidden_states

    def ready(self, x: Tensor, options: dict[str, Any], keys: int | None = None) -> bool:
        """Whether the kernels may take the layers' place for this input, in which a query has so many keys, or all."""
        shown = self._observed(options) or options.get("past_key_values") is not None
        small = fits(x, x.shape[1] if keys is None else keys)
        return self.weights is not None and not shown and not self.training and small

    def _observed(self, options: dict[str, Any]) -> bool:
        """Whether anyone wants to see what is inside."""
        recorded = any(options.get(name, getattr(self.config, name, False)) for name in RECORDED)
        return recorded or heard() or hooked(self.hooks)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: with the form that the folded layers are laid out for."""
        return vars(self) | {"form": CHOSEN.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        form = state.pop("form")
        super().__setstate__(state)
        if form != CHOSEN.name:  # of another processor; the layers run one by one
            self.weights = None

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.weights = None
        super()._load_from_state_dict(*args, **kwargs)


class FusedGrid(FusedLayers):
    """Layers whose positions have a bias of the picture's size (BEiT); it is folded for the configured one."""

    def ready(self, x: Tensor, options: dict[str, Any], keys: int | None = None) -> bool:
        """Whether the kernels may take the layers' place for this input."""
        layer: Any = next(self.children())
        grid = tuple(length // layer.patch_size for length in options.get("resolution") or ())
        same = grid == layer.relative_position_bias.window_size and not options.get(
            "interpolate_pos_encoding"
        )
        return same and super().ready(x, options, keys)


class FusedWindows(FusedLayers):
    """Layers of a stage whose positions attend to those in their window (Swin)."""

    def forward(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        input_dimensions: tuple[int, int],
        always_partition: bool = False,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, H · W, D) -> the same, and the attention map of the last layer, which only the layers make."""
        layers: list[Any] = list(self.children())
        if self.ready(hidden_states, options, int(layers[0].window_size) ** 2):
            if not always_partition:
                for layer in layers:
                    layer.set_shift_and_window_size(input_dimensions)
            sizes = {int(layer.window_size) for layer in layers}
            assert isinstance(self.weights, PackedEncoder)
            # Windows that were made smaller to fit into a picture have no bias: the layers say so
            if {size**2 for size in sizes} == {self.weights.terms.bias.shape[2]}:
                height, width = map(int, input_dimensions)
                shifts = tuple(int(layer.shift_size) for layer in layers)
                windows = windows_of(len(hidden_states), height, width, *sizes, shifts)
                values = without_graph(hidden_states, self.floats).contiguous().numpy()
                y, _ = encoder(values, self.weights, windows=windows)
                return torch.from_numpy(y), None
        attention = None
        for layer in layers:
            hidden_states, attention = layer(hidden_states, input_dimensions, always_partition, **options)
        return hidden_states, attention


def hooked(hooks: Iterable[Mapping[int, Callable[..., Any]]]) -> bool:
    """Whether there is a forward hook but those of binary attention and those that transformers leaves there.

    >>> layer = nn.Tanh()
    >>> hooked([layer._forward_hooks, layer._forward_pre_hooks])
    False
    >>> handle = layer.register_forward_pre_hook(print)
    >>> hooked([layer._forward_hooks, layer._forward_pre_hooks])
    True
    """
    return any(
        hook not in HOOKS and getattr(hook, "__module__", None) != CAPTURING
        for held in filter(None, hooks)
        for hook in held.values()
    )


def fits(x: Tensor, keys: int) -> bool:
    """Whether the kernels take this input, of whose positions each attends to so many."""
    return x.dtype == torch.float32 and x.device.type == "cpu" and keys <= LONGEST


def allowed_keys(mask: Tensor, x: Tensor) -> Tensor | None:
    """Bool (B, L) from an additive mask (B or 1, 1, L or 1, L), or (B, L, L) if it is not the same for all queries.

    None if it adds anything but 0 and what forbids, or something else to each head.

    >>> allowed_keys(torch.tensor([[[[0.0, 0.0, -1e9]]]]), torch.zeros(2, 3, 8)).tolist()
    [[True, True, False], [True, True, False]]
    """
    B, L, _ = x.shape
    shapes = [(b, 1, queries, L) for b in (1, B) for queries in (1, L)]
    if tuple(mask.shape) not in shapes or not mask.is_floating_point():
        return None
    allowed = mask[:, 0] == 0
    if not (allowed | (mask[:, 0] < 10 * FORBIDDEN)).all():
        return None
    if (allowed == allowed[:, :1]).all():
        return allowed[:, 0].expand(B, L)
    return allowed.expand(B, L, L)


def fuse_(packed: nn.Module, model: nn.Module) -> str:
    """Put fused layers in the place of a packed copy's layers, where those of the model can be folded.

    Args:
        packed: a copy with the same layout; changed.
        model: where it comes from, with its latent weights.

    Returns:
        Why some layers stay as they are, in one line; empty where none does.
    """
    try:
        blocks = layout_of(model).blocks
    except UserError:  # also a single layer, or a network of which nothing is known
        blocks = []
    lists: dict[str, list[Block]] = defaultdict(list)
    for block in blocks:
        lists[block.layer.rpartition(".")[0]].append(block)
    reasons = {path: _fuse_list(packed, model, path, held) for path, held in lists.items()}
    if not reasons:
        return "it has no transformer layers"
    return "; ".join(f"{path}: {reason}" for path, reason in reasons.items() if reason)


def _fuse_list(packed: nn.Module, model: nn.Module, path: str, blocks: list[Block]) -> str:
    """Fuse the layers in the list at this path, which are these blocks; or say why not."""
    if not holds_only(model.get_submodule(path), [model.get_submodule(block.layer) for block in blocks]):
        return "it is no list of these layers alone, each once"
    try:
        weights = fold_blocks(model, blocks, LONGEST)
    except NotFoldable as reason:
        return str(reason)
    owner, _, name = path.rpartition(".")
    parent, layers = packed.get_submodule(owner), packed.get_submodule(path)
    config = nearest_config(packed, owner)
    known, _ = known_layer(model.get_submodule(blocks[0].layer))
    assert known is not None
    kind = FusedWindows if known.windows else FusedGrid if known.bias else FusedLayers
    setattr(parent, name, kind(layers.children(), weights, config).train(packed.training))
    return ""


def why_not_fused(packed: nn.Module) -> str:
    """Why layers of a packed model run one by one and not as one call of the kernels; empty where all run at once.

    Args:
        packed: of `binviz.pack`.

    >>> import binviz
    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(
    ...     hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=50))
    >>> _ = binviz.binarize_(model.eval(), "bivit-mixed")
    >>> why_not_fused(binviz.pack(model))
    'encoder.layer: an activation that stays float'
    """
    if any(isinstance(part, FusedLayers) and part.weights is None for part in packed.modules()):
        return "a state was loaded into it; pack the model that has this state"
    return getattr(packed, REASON, "it is no model that `pack` made")


def holds_only(layers: nn.Module, blocks: list[nn.Module]) -> bool:
    """Whether it is a list of these very modules, each once and in this order; `children()` would hide a repetition.

    >>> one, two = nn.Tanh(), nn.Tanh()
    >>> [holds_only(nn.ModuleList(held), [one, two]) for held in ([one, two], [one, two, one], [one], [two, one])]
    [True, False, False, False]
    """
    return type(layers) is nn.ModuleList and list(map(id, layers)) == list(map(id, blocks))


def nearest_config(model: nn.Module, path: str) -> Any:
    """The configuration of the module at this path or of the innermost one around it that has one, else None."""
    config = None
    for part in ["", *accumulate(path.split("."), "{}.{}".format)]:
        config = getattr(model.get_submodule(part), "config", None) or config
    return config
