"""A model in a folder: configuration, recipe, tokenizer, one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_model
from torch import nn

from binviz.binarizers.start import warn_unstarted
from binviz.convert import ENTRY
from binviz.errors import UserError
from binviz.files import replace_files
from binviz.layers.attention import require_binviz_attention
from binviz.layers.sharded import require_whole
from binviz.packed.layers import PackedLayer
from binviz.saving.build import config_of, line_of, require_restorable, restore

WEIGHTS, CONFIG, RECIPE = "model.safetensors", "config.json", "recipe.json"
#: What may lie in the place of WEIGHTS -> what to do about it.
OTHER_WEIGHTS = {
    "pytorch_model.bin": "pytorch_model.bin is a pickle, which can run code and is not read here; if you trust it, "
    "read it with from_pretrained and write it with save_pretrained",
    "model.safetensors.index.json": "its weights are in several files; read them with from_pretrained and write one "
    "with save_pretrained(..., max_shard_size='100GB')",
}
IMAGE_PROCESSOR = "preprocessor_config.json"


def save(model: nn.Module, folder: str | Path, tokenizer: Any = None) -> Path:
    """Write config.json, recipe.json (if binarized), model.safetensors and the tokenizer's files.

    Args:
        model: a transformers model, float or binary; also of a class of your own, which `load` is then given.
        folder: made if it is not there; a model in it is replaced.
        tokenizer: a tokenizer or image processor with `save_pretrained`.

    Returns:
        The folder.

    Raises:
        UserError: a model that could not be loaded again (without configuration, of another family, changed after it
            was built), a packed one, one whose binary attention is switched off, or the
            folder cannot be written; the model that was in it is unharmed then.

    >>> import tempfile
    >>> from transformers import BertConfig, BertModel
    >>> import binviz
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50))
    >>> _ = binviz.binarize_(model, "bit-w1a1")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.name for path in save(model, folder).iterdir())
    ...     load_folder(Path(folder)).binviz_recipe.name
    ['config.json', 'model.safetensors', 'recipe.json']
    'bit-w1a1'
    """
    if any(isinstance(module, PackedLayer) for module in model.modules()):
        raise UserError(
            "a packed model is saved by save_packed; save takes the model that it was packed from"
        )
    require_whole(model)
    require_binviz_attention(model)
    warn_unstarted(model, "the saved model")
    folder = Path(folder)
    recipe: Any = getattr(model, "binviz_recipe", None)
    values, fields = config_of(model), recipe and recipe.to_dict()
    require_restorable(model, values, fields, model.state_dict())
    config = json.dumps(values, indent=1, sort_keys=True) + "\n"
    writers = {
        folder / WEIGHTS: lambda path: save_model(model, str(path)),
        folder / CONFIG: lambda path: path.write_text(config, "utf-8"),
    }
    if recipe is not None:
        text = json.dumps(fields, indent=1) + "\n"
        writers[folder / RECIPE] = lambda path: path.write_text(text, "utf-8")
    replace_files(writers)
    try:
        if recipe is None:
            (folder / RECIPE).unlink(missing_ok=True)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path}: {line_of(error)}") from error


def load_folder(folder: Path, model_class: Any = None) -> nn.Module:
    """A model that `save` or `save_pretrained` wrote, in eval mode and float32.

    The recipe is that of recipe.json, or of the entry in config.json where the folder has none, as in a checkpoint of
    transformers' Trainer.

    Args:
        folder: as `save` left it; see there for an example.
        model_class: the model's class, where it is somebody's own.

    Raises:
        UserError: not such a folder, or its parts do not fit together.
    """
    if not (folder / CONFIG).exists() or not (folder / WEIGHTS).exists():
        others = [text for name, text in OTHER_WEIGHTS.items() if (folder / name).exists()]
        raise UserError(
            "; ".join([f"{folder} is no saved model: it needs {CONFIG} and {WEIGHTS}", *others[:1]])
        )
    config = _read_json(folder / CONFIG)
    recipe = config.get(ENTRY) if isinstance(config, dict) else None
    if (folder / RECIPE).exists():
        recipe = _read_json(folder / RECIPE)
    try:
        state = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{folder / WEIGHTS} is damaged: {line_of(error)}") from error
    return restore(config, recipe, state, folder / WEIGHTS, model_class)


def read_tokenizer_files(folder: str | Path, source: object) -> Any:
    """The tokenizer or image processor whose files lie in a folder.

    Args:
        folder: an image processor's has a preprocessor_config.json.
        source: named in errors.

    Raises:
        UserError: there is none that can be used.
    """
    from transformers import AutoImageProcessor, AutoTokenizer

    kind: Any = AutoImageProcessor if Path(folder, IMAGE_PROCESSOR).exists() else AutoTokenizer
    try:
        found = kind.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise UserError(
            f"{source} holds no tokenizer or image processor that can be used: {line_of(error)}"
        ) from error
    if kind is AutoTokenizer:
        check_tokenizer(found, source)
    return found


def check_tokenizer(tokenizer: Any, source: object) -> None:
    """Raise UserError unless a tokenizer reads a word: transformers looks at some settings only then.

    Args:
        tokenizer: from files.
        source: named in errors.
    """
    try:
        tokenizer("a")
        tokenizer(["a", "a b"], padding=True, truncation=True, max_length=8)
    except Exception as error:
        raise UserError(f"{source} holds a tokenizer that reads nothing: {error}") from error
