"""Tensors of a checkpoint in safetensors or GGUF, one file or many, one tensor at a time.

Of a packed file of binviz the bits of a weight and its scales are one tensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from binviz.analysis import gguf_values
from binviz.analysis.gguf_header import MAGIC, header_of
from binviz.analysis.gguf_values import Values
from binviz.errors import UserError
from binviz.reading import fits, json_of

#: Types of safetensors that torch can turn into float32.
_FLOATING = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
#: What the type of a weight that binviz packed begins with.
PACKED = "packed "
_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.safetensors|\.gguf)")


class Entry(NamedTuple):
    """A tensor of a file.

    name, dtype: as in the file; of a weight packed by binviz its name in the model and "packed 1-bit". shape: of the
    tensor. bytes: that it takes, scales included. weights: whether its entries are numbers to look at, and not
    integers. read: its values, in float32.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    weights: bool
    read: Callable[[], Values]


@contextmanager
def opened(path: Path) -> Iterator[list[Entry]]:
    """The tensors of one file, in the order of their bytes; to be read within the block.

    Args:
        path: of a file in safetensors, or in GGUF, which is known by its first bytes.

    Raises:
        UserError: no such file, damaged, neither of these, or a type in it that cannot be read; also while reading.
    """
    kind = "GGUF" if path.suffix == ".gguf" or _begins_as_gguf(path) else "safetensors"
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ValueError("it is no file")
        if kind == "GGUF":
            yield _of_gguf(path)
            return
        with safe_open(path, framework="pt") as file:
            sizes = _sizes(path)
            entries = []
            for name in file.offset_keys():
                about = file.get_slice(name)
                dtype, shape = about.get_dtype(), tuple(about.get_shape())
                read = partial(_tensor, file, name)
                entries.append(Entry(name, dtype, shape, sizes[name], dtype in _FLOATING, read))
            # FORMAT of binviz.saving.packed, which is slow to import
            if (file.metadata() or {}).get("format") == "binviz-packed":
                entries = _of_packed(path, file, entries)
            yield entries
    except (OSError, SafetensorError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        neither = "" if kind == "GGUF" else ", nor is it GGUF"
        raise UserError(f"cannot read {str(path)!r} as a {kind} file{neither}: {reason}") from error


def files_of(path: Path) -> list[Path]:
    """The files of a checkpoint: one, all parts of one, those of an index, or those of a folder.

    Raises:
        UserError: none in the folder, or several models in GGUF; an index that is damaged, or names a file elsewhere; a
            part that is missing.
    """
    if path.is_dir():
        indices = sorted(path.glob("*.safetensors.index.json"))
        if not indices:
            return _of_folder(path)
        path = indices[0]
    if path.suffix != ".json":
        return _parts(path)
    index = json_of(path, "an index of safetensors files")
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not shards or not fits(shards, dict[str, str]):
        raise UserError(f"{path} is not an index of safetensors files: it has no weight_map")
    names = sorted(set(shards.values()))
    for name in names:
        if Path(name).name != name or not (path.parent / name).is_file():
            raise UserError(f"{path} names {name!r}, and there is no such .safetensors file beside it")
    return [path.parent / name for name in names]


def _of_folder(folder: Path) -> list[Path]:
    if files := sorted(folder.glob("*.safetensors")):
        return sorted({part for file in files for part in _parts(file)})
    models = {tuple(_parts(file)) for file in sorted(folder.glob("*.gguf"))}
    if not models:
        raise UserError(f"there is no .safetensors or .gguf file in the folder {str(folder)!r}")
    if len(models) > 1:
        raise UserError(f"there are {len(models)} models in the folder {str(folder)!r}; name one .gguf file")
    return list(models.pop())


def _parts(path: Path) -> list[Path]:
    """All parts of what this file is a part of, by its name."""
    named = _PART.fullmatch(path.name)
    if named is None:
        return [path]
    stem, _, count, suffix = named.groups()
    parts = [path.with_name(f"{stem}-{i:05}-of-{count}{suffix}") for i in range(1, int(count) + 1)]
    missing = next((part.name for part in parts if not part.is_file()), None)
    if missing:
        raise UserError(f"{path.name!r} is one of {int(count)} parts, and {missing!r} is missing beside it")
    return parts or [path]


def _of_gguf(path: Path) -> list[Entry]:
    header = header_of(path)
    named = _PART.fullmatch(path.name)
    if header.parts > 1 and (named is None or int(named[3]) != header.parts):
        wanted = f"-00001-of-{header.parts:05}.gguf"
        raise UserError(
            f"{str(path)!r} is one of {header.parts} parts; their names have to end as in {wanted!r}"
        )
    for dtype in {record.dtype for record in header.records}:
        if not gguf_values.is_read(dtype):
            name = next(record.name for record in header.records if record.dtype == dtype)
            raise UserError(f"tensor {name!r} of {str(path)!r} is of type {dtype}, which cannot be read here")
    return [
        Entry(
            record.name,
            record.dtype,
            record.shape,
            record.bytes,
            record.dtype not in gguf_values.INTEGERS,
            partial(gguf_values.read, path, record),
        )
        for record in header.records
    ]


def _begins_as_gguf(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == MAGIC
    except (OSError, ValueError):  # said where the file is read
        return False


def _sizes(path: Path) -> dict[str, int]:
    """Bytes of every tensor, from a header that safetensors has checked."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    places = {name: about["data_offsets"] for name, about in header.items() if name != "__metadata__"}
    return {name: end - begin for name, (begin, end) in places.items()}


def _tensor(file: safe_open, name: str) -> Values:
    return Values(file.get_tensor(name).float(), None)


def _of_packed(path: Path, file: safe_open, entries: list[Entry]) -> list[Entry]:
    """The tensors of a packed file of binviz, each packed weight in the place of its bits, its scales with it."""
    from binviz.analysis.packed_values import parts_of, shapes_of

    known = {entry.name: entry for entry in entries}
    shapes = shapes_of(path)
    weights = {}
    for layer, shape in shapes.items():
        bits, scale = known.get(f"{layer}.bits"), known.get(f"{layer}.scale")
        if bits is None or scale is None:
            raise UserError(
                f"{path} is damaged: it holds no bits or no scale of the packed weight of {layer}"
            )
        if (bits.dtype, scale.dtype) != ("U64", "F32") or parts_of(shape, bits.shape, scale.shape) is None:
            raise UserError(
                f"{path} is damaged: a packed weight of shape {shape} has no bits {bits.dtype} {bits.shape} with a "
                f"scale {scale.dtype} {scale.shape}, as it says of {layer}"
            )
        dtype = f"{PACKED}{bits.shape[0] // shape[0]}-bit"
        read = partial(_packed, path, file, layer, shape)
        weights[bits.name] = Entry(f"{layer}.weight", dtype, shape, bits.bytes + scale.bytes, True, read)
    inside = {f"{layer}.scale" for layer in shapes}
    return [weights.get(entry.name, entry) for entry in entries if entry.name not in inside]


def _packed(path: Path, file: safe_open, layer: str, shape: tuple[int, ...]) -> Values:
    from binviz.analysis import packed_values

    words, scale = file.get_tensor(f"{layer}.bits"), file.get_tensor(f"{layer}.scale")
    try:
        return packed_values.read(f"{layer}.weight", words, scale, shape)
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from error
