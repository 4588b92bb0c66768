"""What a checkpoint holds, and how many bits a weight really takes: `contents("model.gguf")`.

    bits per weight = 8 (bytes of the tensor, scales included) / numbers in it

and of the whole file with its headers, names, vocabulary and padding.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from binviz.analysis.checkpoint import PACKED, Entry, files_of, opened
from binviz.errors import UserError
from binviz.words import percent

if TYPE_CHECKING:
    import pandas as pd

_READ = ("zeros", "positive", "scale_min", "scale_median", "scale_max")


def contents(
    path: str | Path, *, progress: bool = True, tell: Callable[[float, str], None] | None = None
) -> pd.DataFrame:
    """Every tensor of a checkpoint of safetensors or GGUF.

    Args:
        path: of a file or folder, as for `scan`.
        progress: show a bar on the error stream.
        tell: called with the share of the bytes that is read, and the tensor that is next; may raise.

    Returns:
        One row per tensor. Columns:

        | column | what | unit |
        |---|---|---|
        | tensor, shape, dtype | as in the file; the first axis outermost | |
        | weights | how many numbers | count |
        | bytes | that it takes, scales included | bytes |
        | bits_per_weight | 8 bytes / weights | bits |
        | zeros | share of numbers that are exactly 0 | 0 to 1 |
        | positive | share above 0; of a 1-bit type those of code +1, 0.5 = balanced | 0 to 1 |
        | scale_min, scale_median, scale_max | of its scales, where a type has one float16 a block or is packed | none |

        A weight in a packed file of binviz is one tensor: its name and shape are those in the model, its type says how
        many bits it has ("packed 1-bit"), its numbers are codes times scales.

        A tensor of integers may hold packed weights, whose number only its author knows: its last six columns are nan.
        In `attrs`: "bytes" of all files; "headers", those of no tensor; "integers", those of integers; "weights"; and
        "bits_per_weight" of the files, 8 (bytes - integers) / weights.

    Raises:
        UserError: no such file, damaged, neither safetensors nor GGUF, of a type that cannot be read, a part that is
            not there, or no tensor in it.

    >>> import tempfile, torch
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"w": torch.tensor([[1.0, 0.0, -2.0, 3.0]]).half()}, f"{folder}/w.safetensors")
    ...     contents(f"{folder}/w.safetensors", progress=False)[["bytes", "bits_per_weight", "zeros"]].values.tolist()
    [[8.0, 16.0, 0.25]]
    """
    import pandas as pd
    from tqdm import tqdm

    rows = []
    files = files_of(Path(path))
    read = integers = 0
    for file in files:
        with opened(file) as entries:
            whole = sum(each.stat().st_size for each in files)
            for entry in tqdm(entries, desc=file.name, unit="tensor", disable=not progress, leave=False):
                if tell is not None:
                    tell(read / whole, entry.name)
                read += entry.bytes
                integers += 0 if entry.weights else entry.bytes
                rows.append(_row(entry))
    if not rows:
        raise UserError(f"{str(path)!r} holds no tensor")
    table = pd.DataFrame(rows)
    weights = sum(row["weights"] for row in rows if not np.isnan(row["bits_per_weight"]))
    bits = 8 * (whole - integers) / weights if weights else nan
    about = {"bytes": whole, "headers": whole - read, "integers": integers}
    table.attrs |= about | {"weights": weights, "bits_per_weight": bits}
    return table


def summed_up(table: pd.DataFrame) -> str:
    """What `contents` found of the whole checkpoint, in a line.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"dtype": ["Q1_0"]})
    >>> table.attrs = {"bytes": 250, "headers": 50, "integers": 0, "weights": 1000, "bits_per_weight": 2.0}
    >>> summed_up(table)
    '1,000 weights in 250 bytes: 2 bits per weight, 1.6 without headers and padding'
    """
    found = table.attrs
    said = f"{found['weights']:,} weights in {found['bytes']:,} bytes"
    if found["weights"]:
        without = 8 * (found["bytes"] - found["integers"] - found["headers"]) / found["weights"]
        said += f": {found['bits_per_weight']:.4g} bits per weight, {without:.4g} without headers and padding"
    packed = table[table.dtype.str.startswith(PACKED)]
    if len(packed):
        count = packed.weights.sum()
        said += f"; {count:,} of them packed by binviz, at {8 * packed.bytes.sum() / count:.4g} bits"
    if found["integers"]:
        said += f"; {found['integers']:,} of the bytes are integers, and counted as no weights"
    return said


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `contents` for reading: text in every cell, and no column of which nothing is known."""
    import pandas as pd

    def each(column: str, say: Callable[[float], str]) -> list[str]:
        return ["" if np.isnan(value) else say(value) for value in table[column]]

    shown = {
        "tensor": table.tensor,
        "shape": [" × ".join(map(str, shape)) for shape in table["shape"]],
        "type": table.dtype,
        "weights": each("weights", "{:,}".format),
        "bytes": each("bytes", "{:,}".format),
        "bits per weight": each("bits_per_weight", "{:.4g}".format),
        "zeros": each("zeros", percent),
        "positive": each("positive", percent),
        "smallest scale": each("scale_min", "{:.3g}".format),
        "median scale": each("scale_median", "{:.3g}".format),
        "largest scale": each("scale_max", "{:.3g}".format),
    }
    return pd.DataFrame(
        {name: column for name, column in shown.items() if any(cell != "" for cell in column)}
    )


def _row(entry: Entry) -> dict[str, Any]:
    count = prod(entry.shape)
    about = {"tensor": entry.name, "shape": entry.shape, "dtype": entry.dtype, "weights": count}
    about |= {"bytes": entry.bytes, "bits_per_weight": nan} | dict.fromkeys(_READ, nan)
    if not entry.weights or not count:
        return about
    values = entry.read()
    # bits per weight = 8 bytes / numbers
    about["bits_per_weight"] = 8 * entry.bytes / count
    about["zeros"] = int((values.weight == 0).sum()) / count
    about["positive"] = int((values.weight > 0).sum()) / count
    if values.scales is not None:
        found = np.quantile(
            values.scales, (0, 0.5, 1), method="nearest"
        )  # between infinities there is nothing
        about |= dict(zip(_READ[2:], found.tolist(), strict=True))
    return about
