"""Save a model to a folder and load it again: configuration, recipe, tokenizer, one safetensors file.

Loading builds the architecture from its configuration, binarizes it by the recipe, and then demands that
every tensor of the file finds its place. Nothing is pickled and no code from the folder is run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from binviz.errors import UserError

WEIGHTS, CONFIG, RECIPE = "model.safetensors", "config.json", "recipe.json"


def model_class(name: str) -> Any:
    """The model class of that name: one of transformers', or one of binviz's own small networks.

    Raises:
        UserError: no such model class.
    """
    import transformers

    from binviz.zoo import networks

    found = getattr(networks, name, None) or getattr(transformers, name, None)
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise UserError(
            f"no model class {name!r}; config.json must name a transformers model in 'architectures'"
        )
    return found


def build(config: dict[str, Any], recipe: dict[str, Any] | None) -> nn.Module:
    """An untrained model from its configuration, binarized if there is a recipe.

    Raises:
        UserError: the configuration or the recipe cannot be used.
    """
    from binviz.convert import binarize_
    from binviz.recipes import Recipe

    architectures = config.get("architectures") or [""]
    cls = model_class(str(architectures[0]))
    try:
        model = cls(cls.config_class.from_dict(config))
    except Exception as error:
        raise UserError(f"the model's configuration cannot be used: {error}") from error
    if recipe is not None:
        binarize_(model, Recipe.from_dict(recipe))
    return model


def save(model: nn.Module, folder: str | Path, tokenizer: Any = None) -> Path:
    """Write config.json, recipe.json (if binarized), model.safetensors and the tokenizer's files.

    Args:
        tokenizer: a tokenizer or image processor with `save_pretrained`.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config = model.config.to_dict() | {"architectures": [type(model).__name__]}
        (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
        recipe = getattr(model, "binviz_recipe", None)
        if recipe is not None:
            (folder / RECIPE).write_text(json.dumps(recipe.to_dict(), indent=1) + "\n")
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
        unfinished = folder / (WEIGHTS + ".unfinished")
        save_model(model, str(unfinished))
        unfinished.replace(folder / WEIGHTS)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def load_folder(folder: Path) -> nn.Module:
    """A model that `save` wrote, in eval mode and float32.

    Raises:
        UserError: not such a folder, or its parts do not fit together.
    """
    if not (folder / CONFIG).exists() or not (folder / WEIGHTS).exists():
        raise UserError(f"{folder} is no saved model: it needs {CONFIG} and {WEIGHTS}")
    recipe = _read_json(folder / RECIPE) if (folder / RECIPE).exists() else None
    model = build(_read_json(folder / CONFIG), recipe)
    try:
        load_model(model, str(folder / WEIGHTS), strict=True)
    except (RuntimeError, SafetensorError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{folder / WEIGHTS} does not fit its configuration: {reason}") from error
    return model.eval()
