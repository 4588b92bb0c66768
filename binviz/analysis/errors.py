r"""What binarization does to every tensor of a model: error made on the spot, and error accumulated.

Three forward passes. The float model's gives the references. The binary model's gives what is *accumulated*:
its tensor against the float model's at the same place. A third one, in which every binary layer and every
product of attention is handed the float model's tensors, gives what is *local*: made there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from binviz.adapters.layout import Layout
from binviz.analysis import metrics
from binviz.analysis.capture import Captured, Preparation, run
from binviz.analysis.shadow import shadow
from binviz.analysis.sites import layout_for_reading, sites
from binviz.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

#: Places of a transformer layer whose value is the work of a linear, an activation function or attention.
_OUTPUTS = ("q", "k", "v", "context", "attn_out", "ffn_act", "ffn_out")
#: Field of a block -> the place that its linear reads.
_INPUTS = {
    "query": "q_in",
    "key": "k_in",
    "value": "v_in",
    "attn_out": "context",
    "fc1": "ffn_in",
    "fc2": "ffn_act",
}


def errors(float_model: nn.Module, binary_model: nn.Module, inputs: Any) -> pd.DataFrame:
    """Errors of a binary model against the float model it was made from, place by place.

    Args:
        float_model: before `binarize_` (a deep copy of it).
        binary_model: the same architecture, binarized, trained or not.
        inputs: as in `capture`. Padding and forbidden pairs of attention are not counted.

    Returns:
        One row per place, kind and view, in the order in which the model runs them. Columns:

        | column | what | unit |
        |---|---|---|
        | layer | number of the transformer layer, -1 outside of them | |
        | name | canonical name of the tensor, see `binviz.analysis.capture` | |
        | kind | "binarizer", "layer" or "stream" | |
        | view | "local" or "accumulated"; a stream has no local error | |
        | values | entries compared | count |
        | mse | mean squared error | squared unit of the tensor |
        | relative_l2 | norm of the error over norm of the reference | none, 0 = equal |
        | cosine | of the angle between them | none, 1 = same direction |
        | sqnr_db | signal to quantization noise | dB |
        | sign_agreement | share of entries with the same sign | 0 to 1 |
        | code_entropy_bits | entropy of the codes | bits, binarizers only |
        | ones_per_row | keys with a positive code, mean over queries | count, attention maps only |

        A "binarizer" row compares its output with its input. A "layer" row is about what a linear, an activation
        function or attention gives: `q` is the query projection, `context` attention's product, `ffn_act` the
        first feed-forward linear with its activation. A "stream" row is the input of a transformer layer.

    Raises:
        UserError: two different architectures, or a second model in which nothing is binary.

    >>> import copy
    >>> from binviz import binarize_
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> binary = copy.deepcopy(network)
    >>> _ = binarize_(binary, "xnor")
    >>> table = errors(network, binary, torch.randn(16, 4))
    >>> table[["name", "kind", "view"]].values.tolist()
    [['0', 'layer', 'local'], ['0', 'layer', 'accumulated'],
     ['1.in', 'binarizer', 'local'], ['1.in', 'binarizer', 'accumulated'],
     ['1', 'layer', 'local'], ['1', 'layer', 'accumulated'],
     ['2', 'layer', 'local'], ['2', 'layer', 'accumulated']]
    """
    import pandas as pd

    layout = layout_for_reading(float_model)
    places = list(sites(binary_model, layout_for_reading(binary_model)))
    if _weights(float_model) != _weights(binary_model):
        raise UserError("the two models differ in architecture; compare a model with its own binary version")
    if not any(name.endswith(".code") for name in places):
        raise UserError("the second model has no binarizer; binarize a copy of the first with binarize_")
    twin = shadow(binary_model)  # both of its runs have the same scales
    with torch.no_grad():
        reference = _captured(float_model, inputs)
        accumulated = _captured(twin, inputs)
        made_here: dict[str, Tensor] = {}
        operands = {
            f"{block.name}.{part}": reference[f"{block.name}.{part}"]
            for block in layout.blocks
            for part in "qkv"
        }
        forced = _captured(twin, inputs, lambda twin: _force(twin, layout, reference, made_here), operands)
    local = {**forced, **made_here}
    rows: list[dict[str, Any]] = []
    for name in places:
        base, _, part = name.rpartition(".")
        if part == "decoded":
            source, kind = f"{base}.in" if base in layout.others else base, "binarizer"
        elif name in layout.others or (layout.blocks and part in _OUTPUTS):
            source, kind = name, "layer"
        elif part == "resid_in":
            source, kind = name, "stream"
        else:
            continue
        for view, found in (("local", local), ("accumulated", accumulated)):
            if name in found and not (kind == "stream" and view == "local"):
                codes = found[f"{base}.code"] if kind == "binarizer" else None
                rows.append({"layer": _layer(name, layout), "name": source, "kind": kind, "view": view})
                rows[-1] |= _measured(reference, source, found[name], codes)
    return pd.DataFrame(rows)


def _weights(model: nn.Module) -> dict[str, list[int]]:
    """Sizes of the latent or float weights, whose matrix may be turned; what binarizers add is left out."""
    return {
        name: sorted(parameter.shape)
        for name, parameter in model.named_parameters()
        if name.endswith((".weight", ".bias")) and "binar" not in name
    }


def _captured(
    model: nn.Module,
    inputs: Any,
    prepare: Preparation | None = None,
    operands: Mapping[str, Tensor] | None = None,
) -> Captured:
    """Everything as tensors, copied because a later layer may work in place.

    `operands` take the place of attention's own queries, keys and values, by name, behind the copy.
    """
    layout = layout_for_reading(model)
    arrays: dict[str, Any] = {}
    counts: dict[str, Any] = {}

    def receive(name: str, value: Tensor, counted: Tensor | None) -> None:
        arrays[name], counts[name] = value.clone(), counted
        if operands and name in operands:
            value.copy_(operands[name])

    run(model, layout, sites(model, layout), inputs, receive, prepare, isolate=False)
    return Captured(arrays, counts)


def _force(twin: nn.Module, layout: Layout, reference: Captured, made_here: dict[str, Tensor]) -> None:
    """Hand the float model's tensors to every layer of the twin.

    Codes of the float model's attention are put into `made_here`.
    """
    for block in layout.blocks:
        for field, part in _INPUTS.items():
            _replace_input(twin.get_submodule(getattr(block, field)), reference[f"{block.name}.{part}"])
        # Ahead of the hook that remembers attention's input for low-rank estimators.
        attention = twin.get_submodule(block.attention)
        _replace_input(attention, reference[f"{block.name}.q_in"], prepend=True)
        binary = getattr(attention, "binary", None)
        if binary is not None and binary.attention_binarizer is not None:
            name = f"{block.name}.{binary.attention_on}"
            code = binary.attention_binarizer.encode(reference[name])
            made_here[f"{name}.code"], made_here[f"{name}.decoded"] = code.q, code.decode()
    for name, path in layout.others.items():
        if f"{name}.in" in reference:
            _replace_input(twin.get_submodule(path), reference[f"{name}.in"])


def _replace_input(module: nn.Module, value: Tensor, prepend: bool = False) -> None:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return ((value, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": value})

    module.register_forward_pre_hook(hook, with_kwargs=True, prepend=prepend)


def _layer(name: str, layout: Layout) -> int:
    block = next((block.name for block in layout.blocks if name.startswith(f"{block.name}.")), None)
    return -1 if block is None else int(block.rpartition(".")[2])


def _measured(reference: Captured, name: str, found: Tensor, codes: Tensor | None) -> dict[str, Any]:
    counted = reference.counted(name)

    def flat(value: Tensor) -> Any:
        kept = value if counted is None else value[counted.expand(value.shape)]
        return kept.detach().cpu().double().numpy().ravel()

    a, b = flat(reference[name]), flat(found)
    row: dict[str, Any] = {"values": a.size}
    for metric in (metrics.mse, metrics.relative_l2, metrics.cosine, metrics.sqnr_db, metrics.sign_agreement):
        row[metric.__name__] = metric(a, b)
    row["code_entropy_bits"] = row["ones_per_row"] = float("nan")
    if codes is not None:
        row["code_entropy_bits"] = metrics.code_entropy(flat(codes))
        if name.endswith((".probs", ".scores")):
            row["ones_per_row"] = _mean_ones(codes, counted)
    return row


def _mean_ones(codes: Tensor, counted: Tensor | None) -> float:
    """Positive codes a query, over the queries that count."""
    allowed = torch.ones_like(codes, dtype=torch.bool) if counted is None else counted.expand(codes.shape)
    queries = allowed.any(-1)
    ones = metrics.ones_per_row(codes.cpu().numpy(), allowed.cpu().numpy())
    return float(ones[queries.cpu().numpy()].mean())
