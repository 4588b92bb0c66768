"""The packed file: a whole model in one safetensors file, one bit a weight.

    <layer>.bits    uint64 (rows, ceil(K/64))   row-major, little-endian words, bit 1 = +1, padding bits 0
    <layer>.scale   float32 (rows,) or ()       what the weight's codes are multiplied by
    everything else under its name in the model, float32 (float16 on request for float models)

The header's metadata are JSON: format, version, config, recipe, the shapes of the packed weights (K is the
product of all but the first number), the tokenizer. Kernel panels are not stored: they differ between
processors. Latent weights are not stored either, so a loaded model computes the same and can be packed again,
but training goes on from the signs.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from binviz_kernels import PackedWeights, pack_weights, unpack
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear
from binviz.recipes import Choice, Recipe
from binviz.saving import build

FORMAT, VERSION = "binviz-packed", 1
BinaryLayer = BinaryLinear | BinaryConv2d | BinaryEmbedding


def _binary_layers(model: nn.Module) -> dict[str, BinaryLayer]:
    return {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, BinaryLinear | BinaryConv2d | BinaryEmbedding)
    }


def _check_packable(path: str, layer: BinaryLayer) -> None:
    if layer.weight_binarizer.levels != (-1, 1):
        raise UserError(f"{path} has weights of more than two values; only -1 and +1 can be packed")
    activation = getattr(layer, "activation_binarizer", None)
    if activation is not None and activation.shifted:
        raise UserError(f"{path}: an activation whose shift depends on the batch cannot be packed")


def _pack(layer: BinaryLayer) -> tuple[Tensor, Tensor]:
    """Words (rows, ceil(K/64)) and scale of a layer's weight."""
    with torch.no_grad():
        code = layer.weight_binarizer.encode(layer.weight.float())
    words = pack_weights(code.q.flatten(1).numpy()).words
    scale = code.scale.float().reshape(-1)
    return torch.from_numpy(words), scale if code.scale.numel() > 1 else scale.reshape(())


def _tensors(model: nn.Module, half: bool) -> dict[str, Tensor]:
    layers = _binary_layers(model)
    replaced = {f"{path}.weight" for path in layers}
    replaced_below = tuple(f"{path}.weight_binarizer." for path in layers)
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if name not in replaced and not name.startswith(replaced_below):
            value = value.detach()
            tensors[name] = value.half() if half and value.is_floating_point() else value
    for path, layer in layers.items():
        _check_packable(path, layer)
        tensors[f"{path}.bits"], tensors[f"{path}.scale"] = _pack(layer)
    return {name: value.contiguous().clone() for name, value in tensors.items()}


def packed_bytes(model: nn.Module) -> int:
    """Bytes of all tensors that `save_packed` writes for a model, by count.

    Words of 8 bytes for each row's K weights, 4 bytes a scale, and every float parameter and buffer at
    its own size.
    """
    total = 0
    inside: tuple[str, ...] = ()
    for path, layer in _binary_layers(model).items():
        rows, k = layer.weight.shape[0], math.prod(layer.weight.shape[1:])
        scales = rows if layer.weight_binarizer.scale_kind == "per_row" else 1
        total += rows * math.ceil(k / 64) * 8 + scales * 4
        inside += (f"{path}.weight", f"{path}.weight_binarizer.")
    floats = (value for name, value in model.state_dict().items() if not name.startswith(inside or (" ",)))
    return total + sum(value.numel() * value.element_size() for value in floats)


def save_packed(model: nn.Module, path: str | Path, tokenizer: Any = None, *, half: bool = False) -> int:
    """Write a model to one file.

    Args:
        model: binarized by `binarize_`, or a float model.
        path: of the file, ending in .safetensors.
        tokenizer: stored with the model.
        half: floats in float16; only for a float model, since it would change a binary one's codes.

    Returns:
        The file's size in bytes.

    Raises:
        UserError: a weight or activation that cannot be packed, or the file cannot be written.
    """
    layers = _binary_layers(model)
    if half and layers:
        raise UserError("half=True is for float models; it would move a binary model's thresholds")
    config = model.config.to_dict() | {"architectures": [type(model).__name__]}  # type: ignore[operator, union-attr]
    recipe = getattr(model, "binviz_recipe", None)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "config": json.dumps(config, sort_keys=True),
        "recipe": json.dumps(recipe.to_dict() if recipe else None),
        "shapes": json.dumps({path: list(layer.weight.shape) for path, layer in layers.items()}),
        "tokenizer": json.dumps(_tokenizer_files(tokenizer)),
    }
    path = Path(path)
    unfinished = path.with_suffix(".unfinished")
    try:
        save_file(_tensors(model, half), unfinished, metadata)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return path.stat().st_size


def _tokenizer_files(tokenizer: Any) -> dict[str, Any]:
    if tokenizer is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return {file.name: json.loads(file.read_text()) for file in Path(folder).glob("*.json")}


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The header's metadata, parsed.

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
                f"{path} has format version {raw.get('version')}; this binviz reads version {VERSION}"
            )
        return {key: json.loads(raw[key]) for key in ("config", "recipe", "shapes", "tokenizer")}
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read as a packed model: {error}") from error


def load_packed(path: str | Path) -> nn.Module:
    """A model from a packed file, in eval mode, as a fake-quantized float32 model with the stored codes.

    Raises:
        UserError: no such file, damaged, or its parts do not fit together.
    """
    metadata = read_metadata(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        shapes = {str(layer): tuple(map(int, shape)) for layer, shape in metadata["shapes"].items()}
        model = build(metadata["config"], _stored(metadata["recipe"]))
        state: dict[str, Tensor] = {}
        for name, value in tensors.items():
            layer = name.rpartition(".")[0]
            if layer in shapes and name.endswith(".bits"):
                state[f"{layer}.weight"] = _unpack(value.numpy(), shapes[layer])
            elif layer in shapes and name.endswith(".scale"):
                state[f"{layer}.weight_binarizer.scale"] = value
            else:
                state[name] = value
        model.load_state_dict(state, strict=True)
    except UserError:
        raise
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is damaged: {reason}") from error
    return model.eval()


def _unpack(words: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    k = math.prod(shape[1:])
    if words.dtype != np.uint64 or words.shape != (shape[0], math.ceil(k / 64)):
        raise ValueError(f"packed weight of shape {shape} has words {words.dtype} {words.shape}")
    return torch.from_numpy(unpack(PackedWeights(words, k))).float().view(shape)


def _stored(recipe: dict[str, Any] | None) -> dict[str, Any] | None:
    """The recipe with stored codes and scales in place of the binarizers of latent weights."""
    if recipe is None:
        return None
    read = Recipe.from_dict(recipe)

    def stored(choice: Choice | None) -> Choice | None:
        if choice is None:
            return None
        return Choice("stored", {"per_row": choice.make(features=1, channel_axis=0).scale_kind == "per_row"})

    return replace(read, weight=stored(read.weight), embedding=stored(read.embedding)).to_dict()


def read_tokenizer(path: str | Path) -> Any:
    """The tokenizer stored in a packed file.

    Raises:
        UserError: the file has none, or is damaged.
    """
    from transformers import AutoTokenizer

    files = read_metadata(path)["tokenizer"]
    if not files:
        raise UserError(f"{path} holds no tokenizer")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_text(json.dumps(content))
        return AutoTokenizer.from_pretrained(folder)


__all__ = ["load_packed", "packed_bytes", "read_metadata", "read_tokenizer", "save_packed"]
