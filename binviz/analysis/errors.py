r"""What binarization does to every tensor of a model: error made on the spot, and error accumulated.

Three forward passes. The float model's gives the references. The binary model's gives what is *accumulated*:
its tensor against the float model's at the same place. A third one, in which every binary layer and every
product of attention is handed the float model's tensors, gives what is *local*: made there and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from binviz.adapters.layout import Layout
from binviz.analysis import metrics
from binviz.analysis.capture import Captured
from binviz.analysis.forced import captured, force, operands_of
from binviz.analysis.shadow import shadow
from binviz.analysis.sites import layout_for_reading, sites
from binviz.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

#: Places of a transformer layer whose value is the work of a linear, an activation function or attention.
_OUTPUTS = ("q", "k", "v", "context", "attn_out", "ffn_act", "ffn_out")


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

    layout, places = comparable(float_model, binary_model)
    twin = shadow(binary_model)  # both of its runs have the same scales
    with torch.no_grad():
        reference = captured(float_model, inputs, layout)
        accumulated = captured(twin, inputs, layout)
        made_here: dict[str, Tensor] = {}
        operands = operands_of(reference, layout)
        forced = captured(
            twin, inputs, layout, lambda twin: force(twin, layout, reference, made_here), operands
        )
    local = {**forced, **made_here}
    rows: list[dict[str, Any]] = []
    for name in places:
        source, kind = what_is(name, layout)
        if not kind:
            continue
        base = name.rpartition(".")[0]
        for view, found in (("local", local), ("accumulated", accumulated)):
            if name in found and not (kind == "stream" and view == "local"):
                codes = found[f"{base}.code"] if kind == "binarizer" else None
                rows.append({"layer": layer_of(name, layout), "name": source, "kind": kind, "view": view})
                rows[-1] |= measured(reference, source, found[name], codes)
    return pd.DataFrame(rows)


def comparable(float_model: nn.Module, binary_model: nn.Module) -> tuple[Layout, list[str]]:
    """The layout of both, and the names of the places in the binary one.

    Raises:
        UserError: two different architectures, or a second model in which nothing is binary.
    """
    layout = layout_for_reading(binary_model)
    places = list(sites(binary_model, layout))
    if _weights(float_model) != _weights(binary_model):
        raise UserError("the two models differ in architecture; compare a model with its own binary version")
    if not any(name.endswith(".code") for name in places):
        raise UserError("the second model has no binarizer; binarize a copy of the first with binarize_")
    return layout, places


def what_is(name: str, layout: Layout) -> tuple[str, str]:
    """The float tensor that a place of the binary model answers to, and the kind of row; "" for none."""
    base, _, part = name.rpartition(".")
    if part == "decoded":
        return f"{base}.in" if base in layout.others else base, "binarizer"
    if name in layout.others or (layout.blocks and part in _OUTPUTS):
        return name, "layer"
    return name, "stream" if part == "resid_in" else ""


def _weights(model: nn.Module) -> dict[str, list[int]]:
    """Sizes of the latent or float weights, whose matrix may be turned; what binarizers add is left out."""
    return {
        name: sorted(parameter.shape)
        for name, parameter in model.named_parameters()
        if name.endswith((".weight", ".bias")) and "binar" not in name
    }


def layer_of(name: str, layout: Layout) -> int:
    """Number of the transformer layer in which a place is, -1 outside of them."""
    block = next((block.name for block in layout.blocks if name.startswith(f"{block.name}.")), None)
    return -1 if block is None else int(block.rpartition(".")[2])


def measured(reference: Captured, name: str, found: Tensor, codes: Tensor | None = None) -> dict[str, Any]:
    """The measures of a tensor against the float model's of that name."""
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
