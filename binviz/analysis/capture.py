r"""Run a model once and keep what happens inside, under the same names in every architecture.

    captured = capture(model, inputs, "layers.0.*")
    captured["layers.0.probs"]               (B, H, T, T) float32
    captured.flat("layers.0.probs")          the same without padding, in one row

Names of an encoder (BERT family, ViT, DeiT, Swin), i = 0, 1, ...; B examples, T tokens, D width, H heads,
d = D / H, F width of the feed-forward part:

| name | what | shape |
|---|---|---|
| `words` | rows of the word embedding (BERT) | (B, T, D) |
| `embed` | what enters the first layer | (B, T, D) |
| `layers.i.resid_in` | the layer's input, the residual stream | (B, T, D) |
| `layers.i.{q,k,v}_in` | inputs of the three projections | (B, T, D) |
| `layers.i.{q,k,v}` | the projections | (B, H, T, d) |
| `layers.i.scores` | products of queries and keys over $\sqrt d$, plus mask | (B, H, T, T) |
| `layers.i.probs` | their softmax; not there where a recipe binarizes the scores | (B, H, T, T) |
| `layers.i.context` | attention's weighted values, heads side by side | (B, T, D) |
| `layers.i.attn_out` | their output projection, before the residual | (B, T, D) |
| `layers.i.ffn_in` | input of the feed-forward part | (B, T, D) |
| `layers.i.ffn_act` | its middle, after the activation function | (B, T, F) |
| `layers.i.ffn_out` | its output, before the residual | (B, T, D) |
| `pooler.in`, `pooler` | input and output of the linear in BERT's pooler | (B, D) |

Swin counts blocks through all stages; T is height x width there, and from `q_in` to `attn_out` the tokens lie
in windows, (B * windows, window^2, ...). OPT's feed-forward part has the tokens of all examples in one axis,
(B * T, ...). ALBERT's layers run several times, and their last run is kept. Where a tensor is binarized there are
three more names: `.pre`, the float tensor handed to the binarizer; `.code`, the integers, of its shape; `.decoded`,
what the network multiplies with, codes times scale plus shift. In a plain network every module's path is a name, for
its output; its linears and convolutions have `.in`, and binary ones `.pre`, `.code` and `.decoded` of their input. In
every model a module's path can be asked for. Where a model has several encoders, every name begins with the encoder's
path.

Padding is kept in the arrays, and left out of `flat` and of everything that this package computes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.adapters.layout import Layout
from binviz.analysis.masks import Masks
from binviz.analysis.shadow import shadow
from binviz.analysis.sites import Site, layout_for_reading, select, sites
from binviz.binarizers import Code
from binviz.errors import UserError
from binviz.layers.tap import listening

#: Called with a name, its value and a mask that broadcasts to it (True = counted) or None, as the model runs.
Receiver = Callable[[str, Tensor, Tensor | None], None]
#: Called with the shadow before it runs; may register further hooks on it.
Preparation = Callable[[nn.Module], None]


class Captured(Mapping[str, Any]):
    """Names and what was captured under them, in the order of the table above.

    Attributes:
        mask: (B, T), True for a token and False for padding; None where the model was given no such mask, as where
            several encoders have each its own, which `counted` and `flat` go by.
        output: what the model returned.

    >>> seen = Captured({"fc1.out": np.zeros((2, 3))}, {"fc1.out": None})
    >>> seen
    Captured, 1 names
    fc1.out  (2, 3)
    >>> "fc2.out" in seen, len(seen)
    (False, 1)
    """

    def __init__(
        self, arrays: dict[str, Any], counted: dict[str, Any], mask: Any = None, output: Any = None
    ) -> None:
        self._arrays, self._counted = arrays, counted
        self.mask, self.output = mask, output

    def __getitem__(self, name: str) -> Any:
        try:
            return self._arrays[name]
        except KeyError:
            raise UserError(f"{name!r} was not captured; there are: {', '.join(self._arrays)}") from None

    def get(self, name: str, default: Any = None) -> Any:
        """The array, or the default where the name was not captured.

        >>> Captured({"fc1.out": 1}, {"fc1.out": None}).get("fc2.out", 0)
        0
        """
        return self._arrays.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        lines = [f"{name}  {tuple(value.shape)}" for name, value in self.items()]
        return "\n".join([f"Captured, {len(self)} names", *lines])

    def counted(self, name: str) -> Any:
        """Boolean, broadcastable to the array: False at padding and at forbidden pairs; None = all count.

        Raises:
            UserError: the name was not captured.
        """
        self[name]
        return self._counted[name]

    def flat(self, name: str) -> Any:
        """The counted entries of one array, as one row.

        Raises:
            UserError: the name was not captured.

        >>> seen = Captured({"x": np.array([[1, 2], [3, 4]])}, {"x": np.array([[True], [False]])})
        >>> seen.flat("x").tolist()
        [1, 2]
        """
        array, counted = self[name], self.counted(name)
        if counted is None:
            return array.reshape(-1)
        if isinstance(array, Tensor):
            return array[counted.expand(array.shape)]
        return array[np.broadcast_to(counted, array.shape)]


def names(model: nn.Module) -> list[str]:
    """What `capture(model, inputs)` gives, in order.

    >>> names(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    ['0.in', '0', '1', '2.in', '2']
    """
    return list(sites(model, layout_for_reading(model)))


def capture(model: nn.Module, inputs: Any, names: str | Sequence[str] = "*", detach: bool = True) -> Captured:
    """Run the model once, in eval mode, and keep named values.

    The model is not touched: hooks, eval mode and the attention implementation that shows scores are those of
    a shadow (`binviz.analysis.shadow`). What the model does in other threads is not recorded. In a model
    that never ran, scales that start from the first batch start from this one, for this run only.

    Args:
        model: float or binary; an encoder, or any torch network.
        inputs: a dictionary of arguments (a tokenizer's output), a tuple of them, or one tensor or array;
            moved to the model's device.
        names: a shell-style pattern or several; see the table at the top. "*" is everything but modules'
            own paths. A module that runs several times is recorded at its last run.
        detach: numpy arrays on the CPU, codes int8 (uint8 where some are above 127) and everything else float32 (or
            the integer dtype it had), run without gradients. False: the tensors themselves, in the graph.

    Returns:
        A mapping of names to arrays, with `mask`, `output`, `flat(name)` and `counted(name)`.

    Raises:
        UserError: a name that the model does not have or that did not run; inputs that are no tensors; a model whose
            binary attention is switched off.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> capture(network, torch.zeros(5, 2), "1")["1"].shape
    (5, 3)
    """
    arrays: dict[str, Any] = {}
    counts: dict[str, Any] = {}

    def receive(name: str, value: Tensor, counted: Tensor | None) -> None:
        arrays[name] = _array(value, name.endswith(".code")) if detach else value
        counts[name] = counted.cpu().numpy() if detach and counted is not None else counted

    layout = layout_for_reading(model)
    chosen = select(model, layout, names)
    with torch.set_grad_enabled(not detach and torch.is_grad_enabled()):
        output, masks = run(model, layout, chosen, inputs, receive)
    wanted = {names} if isinstance(names, str) else set(names)
    for name in wanted & chosen.keys():
        if name not in arrays:
            raise UserError(f"{name!r} gave no tensor in this run; choose among names(model)")
    ordered = {name: arrays[name] for name in chosen if name in arrays}
    mask = masks.tokens
    return Captured(ordered, counts, mask.cpu().numpy() if detach and mask is not None else mask, output)


def _array(value: Tensor, code: bool) -> np.ndarray:
    if code:
        value = value.to(torch.uint8 if value.numel() and value.max() > 127 else torch.int8)
    elif value.is_floating_point():
        value = value.to(torch.float32)
    return value.detach().to("cpu", copy=True).numpy()


def run(
    model: nn.Module,
    layout: Layout,
    chosen: Mapping[str, Site],
    inputs: Any,
    receive: Receiver,
    prepare: Preparation | None = None,
    isolate: bool = True,
) -> tuple[Any, Masks]:
    """One forward pass of a shadow of the model, in eval mode; `receive` is called as values appear.

    Hooks of `prepare` run behind those that record, so that it can replace what a module takes and gives.
    `isolate` is the shadow's.

    Returns:
        What the model returned, and the masks of the run.
    """
    twin = shadow(model, isolate).eval()
    one_by_one(twin)
    if layout.blocks:
        from binviz.layers.attention import require_binviz_attention, use_binviz_attention

        require_binviz_attention(model)
        use_binviz_attention(twin)
    args, kwargs = arguments(inputs, model)
    masks = Masks(twin, layout, _attention_mask(model, args, kwargs))
    places: dict[tuple[int, str], list[tuple[str, Site]]] = {}
    for name, site in chosen.items():
        key = id(twin.get_submodule(site.module)), site.part
        places.setdefault(key, []).append((name, site))

    def hear(module: nn.Module, part: str, value: Any) -> None:
        for name, site in places.get((id(module), part), ()):
            if isinstance(value, Code):
                value_now = value.q if site.view == "code" else value.decode()
            else:
                value_now = value
            if isinstance(value_now, Tensor):
                counted = masks.counted(site)
                if (
                    counted is not None and value_now.ndim < counted.ndim
                ):  # OPT's feed-forward part: rows in one
                    counted = counted.flatten(0, 1)
                receive(name, value_now, counted)

    for path in {site.module for site in chosen.values() if site.part == "in"}:
        twin.get_submodule(path).register_forward_pre_hook(
            lambda module, args, kwargs: hear(module, "in", first(args, kwargs)), with_kwargs=True
        )
    for path in {site.module for site in chosen.values() if site.part == "out"}:
        twin.get_submodule(path).register_forward_hook(
            lambda module, args, output: hear(module, "out", first(output))
        )
    if prepare is not None:
        prepare(twin)
    with listening(hear):
        return twin(*args, **kwargs), masks


def one_by_one(model: nn.Module) -> None:
    """Make torch's own encoders call every module, on plain tensors: their fast path calls none, on nested ones."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder):
            module.enable_nested_tensor = module.use_nested_tensor = False
        elif isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0  # the fast path knows 1 and 2


def first(values: Any, named: Mapping[str, Any] | None = None) -> Any:
    """The tensor itself, or the first one of a tuple, of an output object, or of keyword arguments.

    >>> first((None, torch.tensor([1, 2]))), first((), {"hidden_states": torch.tensor([3])})
    (tensor([1, 2]), tensor([3]))
    """
    if isinstance(values, Tensor):
        return values
    if isinstance(values, Mapping):
        values = tuple(values.values())
    candidates = [*(values if isinstance(values, tuple | list) else ()), *(named or {}).values()]
    return next((value for value in candidates if isinstance(value, Tensor)), None)


def _attention_mask(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if args:
        kwargs = inspect.signature(model.forward).bind_partial(*args, **kwargs).arguments
    return kwargs.get("attention_mask")


def arguments(inputs: Any, model: nn.Module) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments of the model, on its device.

    Raises:
        UserError: inputs that are neither tensors, arrays, a tuple nor a dictionary of them.

    >>> arguments({"input_ids": np.array([[2, 3]])}, nn.Linear(1, 1))
    ((), {'input_ids': tensor([[2, 3]])})
    """
    parameter = next(model.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")

    def moved(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value)
        return value.to(device) if isinstance(value, Tensor) else value

    if isinstance(inputs, Mapping):
        return (), {name: moved(value) for name, value in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(moved(value) for value in inputs), {}
    if isinstance(inputs, Tensor | np.ndarray):
        return (moved(inputs),), {}
    raise UserError(
        f"inputs are {type(inputs).__name__}; give a tensor, or what a tokenizer or image processor returns"
    )
