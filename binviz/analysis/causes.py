r"""Why a layer of a binary model is wrong: another function, its weights, its activations, or all of it.

`errors` says how far a place is off when it is given the float model's tensors. Here the same place is computed five
times, each time with other parts of the binary model put into the float one:

| cause | weights | activations | function |
|---|---|---|---|
| function | float | float | the binary model's, ReLU for GELU, say |
| weights | the binary model's | float | float |
| activations | float | binarized | float |
| both | the binary model's | binarized | float |
| all | the binary model's | binarized | the binary model's |

"all" is the local error of `errors`; it is "both" where no function was swapped. Causes do not add up: two errors may
point the same way, or cancel. A binary model's weights differ from the float ones by their signs and scales, and, once
it has been trained, by what it learned; both count as weights. Attention's product has no weights: queries, keys,
values and probabilities are its activations, and so are BiPFT's estimators and a softmax that is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from binviz.adapters.layout import Block, Layout
from binviz.analysis.capture import Captured
from binviz.analysis.errors import comparable, layer_of, measured, what_is
from binviz.analysis.forced import captured, force, hand, operands_of
from binviz.analysis.shadow import shadow
from binviz.layers.base import BinaryProduct

if TYPE_CHECKING:
    import pandas as pd

CAUSES = ("function", "weights", "activations", "both", "all")


def causes(float_model: nn.Module, binary_model: nn.Module, inputs: Any) -> pd.DataFrame:
    """The local errors of a binary model's layers, by cause.

    Args:
        float_model, binary_model, inputs: as in `errors`.

    Returns:
        One row per place of the kind "layer" and cause, in the order in which the model runs them. Columns: layer,
        name, cause (of `CAUSES`), values, mse, relative_l2, cosine, sqnr_db, sign_agreement, as in `errors`.

    Raises:
        UserError: as `errors`.

    >>> import copy
    >>> from binviz import binarize_
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> binary = copy.deepcopy(network)
    >>> _ = binarize_(binary, "xnor")
    >>> table = causes(network, binary, torch.randn(16, 4)).set_index(["name", "cause"]).relative_l2
    >>> bool(table["1", "function"] == 0 < table["1", "weights"]), float(table["2", "all"])
    (True, 0.0)
    """
    import pandas as pd

    layout, places = comparable(float_model, binary_model)
    twin = shadow(binary_model)
    with torch.no_grad():
        reference = captured(float_model, inputs, layout)
        # What starts from the first batch starts from the one that `errors` gives it
        captured(twin, inputs, layout)
        operands = operands_of(reference, layout)

        def forced(model: nn.Module, prepare: Callable[[nn.Module], None]) -> Captured:
            return captured(model, inputs, layout, prepare, operands)

        def in_float(part: Callable[[nn.Module], None] | None, change: _Change = _as_it_is) -> Captured:
            def prepare(model: nn.Module) -> None:
                hand(model, layout, reference, change)
                if part is not None:
                    part(model)

            return forced(float_model, prepare)

        def binary_with_float_functions(model: nn.Module) -> None:
            force(model, layout, reference, {})
            _take_functions(model, float_model, layout)

        swapped = [block for block in layout.blocks if _swapped(block, float_model, twin)]
        everything = forced(twin, lambda model: force(model, layout, reference, {}))
        found = {
            "function": in_float(partial(_take_functions, source=twin, layout=layout)),
            "weights": in_float(partial(_take_weights, source=twin, layout=layout)),
            "activations": in_float(None, partial(_binarized, twin)),
            "both": forced(twin, binary_with_float_functions) if swapped else everything,
            "all": everything,
        }
    rows: list[dict[str, Any]] = []
    for name in places:
        if what_is(name, layout)[1] != "layer":
            continue
        for cause, values in found.items():
            product = cause == "activations" and layout.blocks and name.endswith(".context")
            value = everything[name] if product else values[name]
            about = {"layer": layer_of(name, layout), "name": name, "cause": cause}
            rows.append(about | measured(reference, name, value))
    return pd.DataFrame(rows).drop(columns=["code_entropy_bits", "ones_per_row"])


_Change = Callable[[str, Tensor], Tensor]


def _as_it_is(path: str, value: Tensor) -> Tensor:
    return value


def _binarized(twin: nn.Module, path: str, value: Tensor) -> Tensor:
    """What the layer at that path makes of its input before it multiplies."""
    binarizer = getattr(twin.get_submodule(path), "activation_binarizer", None)
    return value if binarizer is None else binarizer.encode(value).decode()


def _function(block: Block, model: nn.Module) -> Any:
    module, attribute = block.act
    return getattr(model.get_submodule(module), attribute)


def _swapped(block: Block, float_model: nn.Module, twin: nn.Module) -> bool:
    ours, theirs = (_function(block, model) for model in (float_model, twin))
    return type(ours) is not type(theirs) if isinstance(ours, nn.Module) else ours is not theirs


def _take_functions(model: nn.Module, source: nn.Module, layout: Layout) -> None:
    """Put the source's feed-forward activation functions into a shadow."""
    for block in layout.blocks:
        module, attribute = block.act
        setattr(model.get_submodule(module), attribute, _function(block, source))


def _take_weights(model: nn.Module, source: nn.Module, layout: Layout) -> None:
    """Put the source's weights, as it multiplies with them, and biases into a shadow of the float model."""
    paths = {path for block in layout.blocks for path in block.linears().values()} | {*layout.others.values()}
    for path in paths:
        layer, theirs = model.get_submodule(path), source.get_submodule(path)
        weight = _multiplied(theirs)
        if getattr(theirs, "was_transposed", False):
            weight = weight.mT
        # The shadow shares the dictionary of its parameters with the model.
        vars(layer)["_parameters"] = layer._parameters | {"weight": weight, "bias": theirs.bias}


def _multiplied(layer: nn.Module) -> Tensor:
    """The weight as its layer multiplies with it."""
    if not isinstance(layer, BinaryProduct):
        return cast(Tensor, layer.weight)
    first, *others = (basis.decode() for basis in layer.weight_binarizer.bases(layer.weight))
    weight = sum(others, first)
    if layer.output_scale is not None:
        weight = weight * layer.output_scale.reshape(-1, *[1] * (weight.ndim - 1))
    return weight
