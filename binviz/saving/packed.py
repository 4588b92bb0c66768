"""The packed file: a whole model in one safetensors file, one bit a weight.

    <layer>.bits    uint64 (rows, ceil(K/64))   row-major, little-endian words, bit 1 = +1, padding bits 0
    <layer>.scale   float32 (rows,) or ()       what the weight's codes are multiplied by; (rows, groups of K)
    everything else under its name in the model, float32 (float16 on request for float models, and for the head)

Of a weight of several bases the rows of all lie under one another; of an offset, a basis of ones, only the scales.

The header's metadata are JSON: format, version, config, recipe, the shapes of the packed weights (K is the
product of all but the first number), the tokenizer. Kernel panels are not stored: they differ between
processors. Latent weights are not stored either, so a loaded model computes the same and can be packed again,
but training goes on from the signs.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from binviz_kernels import PackedWeights, unpack
from binviz_kernels.checks import padding_is_zero
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from binviz.binarizers.start import warn_unstarted
from binviz.binarizers.stored import whole_numbers
from binviz.errors import UserError
from binviz.files import replace_files
from binviz.layers import BinaryLayer
from binviz.packed.layers import PackedLayer, pack_layer
from binviz.packed.pack import binary_layers, check_packable
from binviz.recipes import Choice, Recipe
from binviz.saving.build import config_of, read_recipe, require_restorable, restore
from binviz.saving.folder import read_tokenizer_files

FORMAT, VERSION = "binviz-packed", 1


def _half(name: str, value: Tensor) -> Tensor:
    small = value.half()
    if (value.isfinite() & ~small.isfinite()).any():
        raise UserError(f"{name} holds a number that float16 cannot; leave it in float32")
    return small


def _encoder(model: nn.Module) -> str:
    """What the names of a model's tensors begin with where they are not of its head.

    Raises:
        UserError: it has no head, or one with binary layers, whose thresholds float16 would move.
    """
    inside = getattr(model, "base_model_prefix", "")
    if not inside or getattr(model, inside, None) is None:
        raise UserError(f"half_head=True is for a model with a head; a {type(model).__name__} has none")
    for path, module in model.named_modules():
        if isinstance(module, BinaryLayer | PackedLayer) and not path.startswith(f"{inside}."):
            raise UserError(f"half_head=True would move the thresholds of {path}, which is binary")
    return f"{inside}."


def _tensors(model: nn.Module, half: bool, half_head: bool) -> dict[str, Tensor]:
    check_packable(model)
    layers = binary_layers(model)
    replaced = {f"{path}.weight" for path in layers}
    replaced_below = tuple(f"{path}.weight_binarizer." for path in layers)
    inside = _encoder(model) if half_head else None
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if name not in replaced and not name.startswith(replaced_below):
            value = value.detach()
            small = half or (inside is not None and not name.startswith(inside))
            tensors[name] = _half(name, value) if small and value.is_floating_point() else value
    for path, layer in layers.items():
        tensors[f"{path}.bits"], tensors[f"{path}.scale"] = pack_layer(layer)
    return {name: value.contiguous().clone() for name, value in tensors.items()}


def packed_bytes(model: nn.Module, *, half_head: bool = False) -> int:
    """Bytes of all tensors that `save_packed` writes for a model, by count.

    Words of 8 bytes for each row's K weights, 4 bytes a scale, and every float parameter and buffer at
    its own size, or of a head in float16 at 2 bytes.

    >>> from binviz import binarizers
    >>> from binviz.layers import BinaryLinear
    >>> layer = BinaryLinear(65, 3, weight=binarizers.get("bnn"), activation=None, bias=False)
    >>> packed_bytes(nn.Sequential(layer)) == 3 * 2 * 8 + 4
    True
    """
    total = 0
    inside: tuple[str, ...] = ()
    for path, layer in binary_layers(model).items():
        rows, k = layer.weight.shape[0], math.prod(layer.weight.shape[1:])
        words = layer.weight_binarizer.bit_count * rows * math.ceil(k / 64)
        total += 8 * words + 4 * layer.weight_binarizer.scale_count(layer.weight.shape)
        inside += (f"{path}.weight", f"{path}.weight_binarizer.")
    floats = {
        name: value for name, value in model.state_dict().items() if not name.startswith(inside or (" ",))
    }
    encoder = _encoder(model) if half_head else ""
    return total + sum(
        value.numel()
        * (value.element_size() if name.startswith(encoder) or not value.is_floating_point() else 2)
        for name, value in floats.items()
    )


def save_packed(
    model: nn.Module, path: str | Path, tokenizer: Any = None, *, half: bool = False, half_head: bool = False
) -> int:
    """Write a model to one file.

    Args:
        model: binarized by `binarize_`, packed by `pack`, or a float model; a transformers model, since a file
            must say how to build it again.
        path: of the file, ending in .safetensors.
        tokenizer: or image processor, stored with the model.
        half: floats in float16; only for a float model, since it would change a binary one's codes.
        half_head: those of the head in float16, which comes after all codes: logits are rounded, nothing else. An
            output layer of words is most of a binary language model.

    Returns:
        The file's size in bytes.

    Raises:
        UserError: a model that could not be loaded again (as for `save`), a weight or activation that cannot be
            packed, a number too large for float16, no head or a binary one where it is to be in float16, or the file
            cannot be written; the previous one is unharmed then.

    >>> from transformers import BertConfig, BertModel
    >>> import binviz
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50)).eval()
    >>> _ = binviz.binarize_(model, "bibert")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = save_packed(model, Path(folder, "small.safetensors"))
    ...     again = load_packed(Path(folder, "small.safetensors"))
    >>> ids = torch.tensor([[2, 7, 3]])
    >>> torch.equal(model(ids).last_hidden_state, again(ids).last_hidden_state)
    True
    """
    shapes = {
        path: list(module.shape if isinstance(module, PackedLayer) else module.weight.shape)
        for path, module in model.named_modules()
        if isinstance(module, BinaryLayer | PackedLayer)
    }
    if half and shapes:
        raise UserError("half=True is for float models; it would move a binary model's thresholds")
    recipe: Any = getattr(model, "binviz_recipe", None)
    config, stored = config_of(model), _stored(recipe).to_dict() if recipe else None
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "config": json.dumps(config, sort_keys=True),
        "recipe": json.dumps(stored),
        "shapes": json.dumps(shapes),
        "tokenizer": json.dumps(_tokenizer_files(tokenizer)),
    }
    path = Path(path)
    tensors = _tensors(model, half, half_head)
    sizes = {layer: tuple(shape) for layer, shape in shapes.items()}
    state = _state(tensors, sizes, lambda words, shape: torch.empty(shape, device="meta"))
    require_restorable(model, config, stored, state)
    warn_unstarted(model, "the file")
    replace_files({path: lambda place: _write(tensors, place, metadata)})
    return path.stat().st_size


def _write(tensors: dict[str, Tensor], place: Path, metadata: dict[str, str]) -> None:
    """save_file, the same bytes each time: safetensors gives the metadata in random order."""
    save_file(tensors, place, metadata)
    with place.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(text) <= length
        file.seek(8)
        file.write(text.ljust(length))


def _tokenizer_files(tokenizer: Any) -> dict[str, Any]:
    if tokenizer is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return {
            file.name: json.loads(file.read_text("utf-8")) for file in sorted(Path(folder).glob("*.json"))
        }


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The header's metadata, parsed: "config", "recipe", "shapes" and "tokenizer".

    Raises:
        UserError: no such file, damaged, or not a packed model of this version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            raw = file.metadata() or {}
        if raw.get("format") != FORMAT:
            raise UserError(f"{path} is a safetensors file, but not a packed binviz model")
        if raw.get("version") != str(VERSION):
            raise UserError(
                f"{path} has format version {str(raw.get('version'))[:20]}; this binviz reads version {VERSION}"
            )
        found = {key: json.loads(raw[key]) for key in ("config", "recipe", "shapes", "tokenizer")}
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} cannot be read as a packed model: {reason}") from error
    if not isinstance(found["shapes"], dict) or not isinstance(found["tokenizer"], dict):
        raise UserError(f"{path} cannot be read as a packed model: its header is damaged")
    return found


def load_packed(path: str | Path, model_class: Any = None) -> nn.Module:
    """A model from a packed file, in eval mode, as a fake-quantized float32 model with the stored codes.

    Names and shapes are compared with the header before memory is taken; nothing from the file is run.

    Args:
        path: of a file that `save_packed` wrote; see there for an example.
        model_class: the model's class, where it is somebody's own.

    Raises:
        UserError: no such file, damaged, or its parts do not fit together.
    """
    metadata = read_metadata(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        shapes = {layer: tuple(map(int, shape)) for layer, shape in metadata["shapes"].items()}
        for layer, shape in shapes.items():
            if len(shape) < 2 or f"{layer}.bits" not in tensors:
                raise ValueError(f"{layer} has no bits, or the shape {shape}")
        recipe = metadata["recipe"] and _stored(read_recipe(metadata["recipe"])).to_dict()
        state = _state(tensors, shapes, lambda words, shape: _unpack(words.numpy(), shape))
        return restore(metadata["config"], recipe, state, path, model_class)
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is damaged: {reason}") from error


def _state(
    tensors: dict[str, Tensor],
    shapes: dict[str, tuple[int, ...]],
    weight: Callable[[Tensor, tuple[int, ...]], Tensor],
) -> dict[str, Tensor]:
    """The tensors of a file under the names that they have in a model; `weight` makes one of words and a shape."""
    state: dict[str, Tensor] = {}
    for name, value in tensors.items():
        layer = name.rpartition(".")[0]
        if layer in shapes and name.endswith(".bits"):
            state[f"{layer}.weight"] = weight(value, shapes[layer])
        elif layer in shapes and name.endswith(".scale"):
            inner = "" if value.ndim < 2 else "inner."  # of groups
            state[f"{layer}.weight_binarizer.{inner}scale"] = value.flatten() if inner else value
        else:
            state[name] = value
    return state


def _unpack(words: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    k = math.prod(shape[1:])
    bases = len(words) // max(shape[0], 1)
    if words.dtype != np.uint64 or words.shape != (bases * shape[0], -(-k // 64)) or not bases:
        raise ValueError(f"packed weight of shape {shape} has words {words.dtype} {words.shape}")
    padding_is_zero("packed weight", words, k)
    return whole_numbers(torch.from_numpy(unpack(PackedWeights(words, k))).float().view(bases, *shape))


def _stored(recipe: Recipe) -> Recipe:
    """The recipe with stored codes and scales in place of the binarizers of latent weights."""

    def stored(choice: Choice) -> Choice:
        made = choice.make(features=1, channel_axis=0)
        several = {"bases": made.bit_count} if made.bit_count > 1 else {}
        offset = {"offset": True} if made.offset else {}
        group = {"group": choice.options["group"]} if "group" in choice.options else {}
        return Choice("stored", {"per_row": made.scale_kind == "per_row"} | several | offset | group)

    embedding = recipe.embedding and stored(recipe.embedding)
    overrides = tuple(
        (pattern, changes | ({"weight": stored(weight)} if (weight := changes.get("weight")) else {}))
        for pattern, changes in recipe.overrides
    )
    return replace(recipe, weight=stored(recipe.weight), embedding=embedding, overrides=overrides)


def read_tokenizer(path: str | Path) -> Any:
    """The tokenizer or image processor stored in a packed file.

    Raises:
        UserError: the file has none, or is damaged.
    """
    files = read_metadata(path)["tokenizer"]
    if not files:
        raise UserError(f"{path} holds no tokenizer")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            if Path(name).name == name and name.endswith(".json"):
                Path(folder, name).write_text(json.dumps(content), "utf-8")
        return read_tokenizer_files(folder, path)


__all__ = ["load_packed", "packed_bytes", "read_metadata", "read_tokenizer", "save_packed"]
