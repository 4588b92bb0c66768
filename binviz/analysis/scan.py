"""What binarization would do to the weights of any checkpoint: `scan("model.safetensors")`, `scan("model.gguf")`.

No model is built and no code of the checkpoint's author is needed. Tensors are read one at a time, so that a
checkpoint larger than memory can be scanned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import isfinite, nan, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from binviz.analysis import metrics
from binviz.analysis.checkpoint import Entry, files_of, opened
from binviz.binarizers import Code, get
from binviz.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

BINARIZERS = (
    "bnn", "xnor-weight", "bit-weight", "bibert-weight", "ternary-weight", "multi-basis-weight", "fdb-weight",
)  # fmt: skip
_MEASURES = ("relative_l2", "sqnr_db", "cosine", "sign_balance", "code_entropy_bits")
_BLOCK = 1 << 20


def scan(
    path: str | Path,
    binarizers: Sequence[str] = BINARIZERS,
    *,
    order: Literal["file", "error"] = "file",
    progress: bool = True,
    tell: Callable[[float, str], None] | None = None,
) -> pd.DataFrame:
    """Binarization error of every matrix and convolution in a checkpoint of safetensors or GGUF.

    Tensors with 2 to 4 axes of a floating or quantized type are looked at, in float32, one after another; the first
    axis is that of output channels (or words), and of 3 axes (a convolution over a sequence) it has more than one
    entry. Weights in a packed file of binviz are their codes times scales, so one of 1 bit loses nothing to a binarizer
    that finds the same scale. Memory stays within about ten times the largest one in float32. What the file itself
    holds is `contents`.

    Args:
        path: of the file, from any library; of one of `model-00001-of-00003`, then of all three; of a
            `.safetensors.index.json`, or a folder, which may hold one: then all the files that it lists, or else all
            `.safetensors` in the folder, or the one model in `.gguf`.
        binarizers: names of weight binarizers; one that learns its scale has the scale that it starts from.
        order: "file" as they lie in the file, "error" the largest relative error first.
        progress: show a bar on the error stream.
        tell: called with the share of the tensors that is done, and the one that is next; may raise.

    Returns:
        One row per tensor and binarizer. Columns:

        | column | what | unit |
        |---|---|---|
        | tensor, shape, dtype | as in the file | |
        | weights | how many numbers | count |
        | binarizer | its name | |
        | relative_l2 | norm of the error over norm of the tensor | none, 0 = equal |
        | sqnr_db | signal to quantization noise | dB |
        | cosine | of the angle between tensor and binarized tensor | none, 1 = same direction |
        | sign_balance | share of positive codes, of all bases | 0 to 1, 0.5 = balanced |
        | code_entropy_bits | entropy of the codes | bits |

        The measures are those of `binviz.analysis.metrics`; a tensor with a NaN or an infinity has nan. What was left
        out is counted in `attrs["skipped"]`: reason -> number of tensors.

    Raises:
        UserError: no such file, damaged, neither safetensors nor GGUF, of a type that cannot be read, a part that is
            not there, or nothing in it to look at; an unknown binarizer, or one that is not for weights.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"w": torch.tensor([[1.0, -1.0], [2.0, -2.0]])}, f"{folder}/w.safetensors")
    ...     scan(f"{folder}/w.safetensors", ["bnn", "xnor-weight"], progress=False).relative_l2.round(4).tolist()
    [0.4472, 0.0]
    """
    import pandas as pd

    chosen = (binarizers,) if isinstance(binarizers, str) else tuple(binarizers)
    if not chosen:
        raise UserError(f"no binarizer to scan with; name one, such as {BINARIZERS[1]!r}")
    if order not in ("file", "error"):
        raise UserError(f"order is 'file' or 'error', not {order!r}")
    for name in chosen:
        if get(name, features=1, channel_axis=0).levels[0] >= 0:
            raise UserError(f"binarizer {name!r} has no negative code, so it is not for weights; try 'bnn'")
    skipped: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    files = files_of(Path(path))
    for number, file in enumerate(files):
        told = partial(_tell, tell, number, len(files)) if tell else None
        rows.extend(_rows(file, chosen, progress, skipped, told))
    if not rows:
        raise UserError(f"{str(path)!r} holds no weight to look at; {said(skipped) or 'it is empty'}")
    table = pd.DataFrame(rows)
    table.attrs["skipped"] = dict(skipped)
    if order == "error":
        table = table.sort_values("relative_l2", ascending=False, kind="stable", ignore_index=True)
    return table


def said(skipped: Mapping[str, int]) -> str:
    """What was left out, in a line; empty where that is nothing.

    >>> said({"1 axis": 10, "all zeros": 1})
    'left out: 10 with 1 axis, 1 with all zeros'
    """
    parts = ", ".join(f"{count} with {reason}" for reason, count in skipped.items())
    return f"left out: {parts}" if parts else ""


def by_tensor(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `scan` for reading: a row for each tensor, and what each binarizer loses of it.

    Args:
        table: of `scan`.

    Returns:
        Columns tensor, shape, weights, then relative_l2 under each binarizer's name; rows in the table's order.

    >>> import pandas as pd
    >>> row = {"tensor": "w", "shape": (2, 2), "weights": 4}
    >>> losses = {"bnn": 0.5, "xnor-weight": 0.25}
    >>> rows = [row | {"binarizer": name, "relative_l2": loss} for name, loss in losses.items()]
    >>> by_tensor(pd.DataFrame(rows)).values.tolist()
    [['w', (2, 2), 4, 0.5, 0.25]]
    """
    # Files of one folder may have tensors of one name
    which = table.groupby(["tensor", "binarizer"]).cumcount()
    each = table.set_index([table.tensor, which])
    losses = {name: part.relative_l2 for name, part in each.groupby("binarizer", sort=False)}
    first = each.loc[~each.index.duplicated(), ["tensor", "shape", "weights"]]
    return first.assign(**losses).reset_index(drop=True)


def _tell(tell: Callable[[float, str], None], number: int, files: int, share: float, name: str) -> None:
    tell((number + share) / files, name)


def _why_not(entry: Entry) -> str | None:
    """Why a tensor is no weight to look at, if it is none."""
    shape = entry.shape
    if not entry.weights:
        return f"type {entry.dtype}"
    if 0 in shape:
        return "no entry"
    if len(shape) not in (2, 3, 4):
        return f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}"
    return "3 axes, the first of 1" if len(shape) == 3 and shape[0] == 1 else None


def _rows(
    path: Path,
    chosen: tuple[str, ...],
    progress: bool,
    skipped: Counter[str],
    told: Callable[[float, str], None] | None,
) -> Iterator[dict[str, Any]]:
    from tqdm import tqdm

    with opened(path) as entries:
        kept = []
        for entry in entries:
            if reason := _why_not(entry):
                skipped[reason] += 1
            else:
                kept.append(entry)
        for number, entry in enumerate(
            tqdm(kept, desc=path.name, unit="tensor", disable=not progress, leave=False)
        ):
            if told is not None:
                told(number / len(kept), entry.name)
            weight = entry.read().weight
            if not weight.any():  # every relative error is infinite there
                skipped["all zeros"] += 1
                continue
            about = {"tensor": entry.name, "shape": entry.shape, "dtype": entry.dtype}
            about["weights"] = weight.numel()
            for binarizer in chosen:
                yield about | {"binarizer": binarizer} | _measured(weight, binarizer)
            del weight


@torch.no_grad()
def _measured(weight: Tensor, binarizer: str) -> dict[str, float]:
    codes = get(binarizer, features=weight.shape[0], channel_axis=0).bases(weight)
    plane = _plane(weight, codes)
    if plane is None:
        return dict.fromkeys(_MEASURES, nan)
    q = torch.stack([code.q.to(torch.int8) for code in codes]).numpy()
    of_pair = (measure(*plane) for measure in (metrics.relative_l2, metrics.sqnr_db, metrics.cosine))
    return dict(zip(_MEASURES, (*of_pair, float((q > 0).mean()), metrics.code_entropy(q)), strict=True))


def _plane(x: Tensor, codes: Sequence[Code]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """A weight and the sum of its codes in the plane that they span: two numbers each, of the same norms and distance.

    Sums are in float64, some rows at a time, so that no copy of a large tensor is made. None where a sum is not
    finite.
    """
    xx = xy = dd = 0.0
    step = max(_BLOCK // x[0].numel(), 1)
    for at in range(0, len(x), step):
        of = slice(at, at + step)
        rows = [
            Code(code.q[of], code.scale.expand_as(x)[of], code.shift.expand_as(x)[of]).decode()
            for code in codes
        ]
        a, b = x[of].flatten().double(), sum(rows[1:], rows[0]).flatten().double()
        difference = b - a
        xx, xy, dd = xx + float(a @ a), xy + float(a @ b), dd + float(difference @ difference)
    if not isfinite(xx + xy + dd):
        return None
    size = sqrt(xx)
    along = (xy - xx) / size if size else 0.0
    return (size, 0.0), (size + along, sqrt(max(dd - along**2, 0.0)))
