"""Build a model from its configuration and recipe, and fill it with tensors, every one of which must fit.

The architecture is built from its configuration, binarized by the recipe, and then every tensor has to find its place.
Names and shapes are compared before any memory is taken, so a file that declares a huge model is refused at once.
Nothing is pickled and no code from a file is run.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from binviz.convert import ENTRY, binarize_
from binviz.errors import UserError
from binviz.layers import BinaryLayer
from binviz.packed.layers import PackedLayer

if TYPE_CHECKING:
    from binviz.recipes import Recipe

#: No size in a model's configuration is larger; the largest vocabularies have a million words.
LARGEST = 2**21
#: A size that is never refused, however small the model: of an image, of a vocabulary that is mostly cut.
SMALL = 2**16
#: Families of transformers whose models are built again. Others may ask the hub for a part, a backbone as a rule.
FAMILIES = (
    *(
        "bert",
        "camembert",
        "electra",
        "ernie",
        "mobilebert",
        "roberta",
        "roberta_prelayernorm",
        "xlm_roberta",
    ),
    *("albert", "data2vec", "distilbert", "dpr", "eurobert", "layoutlm", "modernbert", "mt5", "t5", "umt5"),
    *("gpt2", "llama", "mistral", "opt"),
    *("altclip", "chinese_clip", "clip", "siglip"),
    *("beit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "swin", "vit", "vit_mae", "vit_msn"),
    *("audio_spectrogram_transformer", "hubert", "wav2vec2"),
    *("convnext", "convnextv2", "mobilenet_v1", "mobilenet_v2", "regnet", "resnet"),
)
#: Settings that could fetch code or weights: attention kernels and backbones are named in them. And one that
#: changes no result, but refuses sentences whose length is no multiple of it.
UNWANTED = (
    "chunk_size_feed_forward",
    *("attn_implementation", "experts_implementation"),
    *("backbone", "backbone_config", "backbone_kwargs", "use_pretrained_backbone", "use_timm_backbone"),
    ENTRY,  # `build` is given the recipe
)


def model_class(name: str, own: Any = None) -> Any:
    """The model class of that name: of one of `FAMILIES` in transformers, or of `binviz.networks`.

    Args:
        name: as a configuration has it.
        own: the class itself, where it is somebody's own; only its name is compared.

    Raises:
        UserError: no such model class, or of another family; or the class given has another name.

    >>> model_class("BertModel").__name__
    'BertModel'
    """
    import transformers

    import binviz.networks as networks

    if own is not None:
        if not (isinstance(own, type) and issubclass(own, transformers.PreTrainedModel)):
            raise UserError(f"model_class is a class that derives from PreTrainedModel, not {str(own)[:80]}")
        if own.__name__ != name:
            raise UserError(f"the file holds a {name[:80]!r}, and model_class is {own.__name__!r}")
        return own
    try:
        found = getattr(networks, name, None) or getattr(transformers, name, None)
    except ImportError:  # a class that needs a package which is not there
        found = None
    homes = (f"{networks.__name__}.", *(f"transformers.models.{family}." for family in FAMILIES))
    is_model = isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)
    if not (is_model and f"{found.__module__}.".startswith(homes)):
        raise UserError(
            f"no model class {name[:80]!r} of a family that binviz saves and loads: the BERT family, ALBERT, "
            "DistilBERT, ModernBERT, T5's encoder, ViT, DeiT, BEiT, DINO, Swin, CLIP, SigLIP, wav2vec 2.0, HuBERT, "
            "OPT, LLaMA, Mistral, GPT-2, ResNet, RegNet, ConvNeXt, "
            "MobileNet, named in 'architectures' of config.json; give a class of your own as load(..., model_class=)"
        )
    return found


def require_class(model: nn.Module) -> None:
    """Refuse a model of a class that could not be found again, or be given by whoever loads it.

    Raises:
        UserError: a class of transformers, of a family that `model_class` does not know; or one of somebody's own
            that is called as another, or without a configuration class.
    """
    cls = type(model)
    name, own = cls.__name__, not cls.__module__.startswith(("transformers.", "binviz."))
    if not hasattr(cls, "config_class"):
        raise UserError(
            f"{name} is no model of transformers; save the one inside it, adapters by their own tool"
        )
    try:
        if model_class(name) is cls:
            return
    except UserError:
        if not own:
            raise
    else:
        raise UserError(f"{name} is a class of your own that is called as another; give it a name of its own")
    config_class = getattr(model_class(name, cls), "config_class", None)
    if config_class is None or type(model.config) is not config_class:
        raise UserError(
            f"{name}.config_class is not that of its configuration, a {type(model.config).__name__}"
        )


def config_of(model: nn.Module) -> dict[str, Any]:
    """A model's configuration as JSON values, with its class under "architectures".

    Raises:
        UserError: the model has none, as a plain torch network, or is of a class that `require_class` refuses: it
            could not be built again from a file.

    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> config = config_of(DigitsCNN(DigitsCNNConfig(width=4, depth=1)))
    >>> config["architectures"], config["width"]
    (['DigitsCNN'], 4)
    >>> type(build(config, None)).__name__
    'DigitsCNN'
    """
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "to_dict"):
        raise UserError(
            f"{type(model).__name__} has no configuration to build it from again; save its state_dict yourself"
        )
    require_class(model)
    kept_elsewhere = ("_name_or_path", ENTRY)  # the recipe is stored beside the configuration
    values = {key: value for key, value in config.to_dict().items() if key not in kept_elsewhere}
    return values | {"architectures": [type(model).__name__]}


def build(config: Any, recipe: Any, largest: int = LARGEST, own: Any = None) -> nn.Module:
    """An untrained model from its configuration, binarized if there is a recipe.

    Args:
        config: a dictionary as `config_of` gives it.
        recipe: `Recipe.to_dict()`, or None for a float model.
        largest: number that the configuration may hold.
        own: the model's class, where it is somebody's own.

    Raises:
        UserError: the configuration or the recipe cannot be used.
    """
    cls = _class_of(config, own)
    try:
        settings = cls.config_class.from_dict(_harmless(config, largest))
        _check_switches(settings)
        model = cls(settings)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the model's configuration cannot be used: {line_of(error)}") from error
    if recipe is not None:
        binarize_(model, read_recipe(recipe))
    return model


def read_recipe(values: Any) -> Recipe:
    """A recipe from a file.

    Raises:
        UserError: no recipe; of what stands there instead only the beginning is shown.
    """
    from binviz.recipes import Recipe

    try:
        return Recipe.from_dict(values)
    except UserError as error:
        raise UserError(str(error)[:400]) from error


@torch.random.fork_rng(devices=[])
def restore(config: Any, recipe: Any, state: dict[str, Tensor], source: object, own: Any = None) -> nn.Module:
    """A model in eval mode and float32 from its parts, every one of which must fit.

    torch's random numbers go on as if nothing had been built.

    Args:
        config, recipe: as for `build`.
        state: name -> tensor. Of several names of one shared parameter one is enough; where they are given
            with different values, they are shared no longer.
        source: named in errors.
        own: the model's class, where it is somebody's own.

    Raises:
        UserError: the parts do not fit together.
    """
    largest = min(LARGEST, max(SMALL, sum(value.numel() for value in state.values())))
    state, shared = _fitting(config, recipe, state, source, own, largest)
    model = build(config, recipe, largest, own)
    for name, names in shared.items():
        given = next(other for other in names if other in state)
        if not torch.equal(state.setdefault(name, state[given]), state[given]):
            path, _, attribute = name.rpartition(".")
            owner = model.get_submodule(path)
            setattr(owner, attribute, nn.Parameter(getattr(owner, attribute).detach().clone()))
    model.load_state_dict(state, strict=True)
    return model.eval()


@torch.random.fork_rng(devices=[])
def require_restorable(model: nn.Module, config: Any, recipe: Any, state: dict[str, Tensor]) -> None:
    """Refuse what `restore` would refuse, before it is written.

    Args:
        model: named in errors; its class is the one that is built.
        config, recipe, state: what is written; of the tensors only shapes and types matter.

    Raises:
        UserError: a model that was changed after it was built, so that its configuration and recipe do not give it; or
            one of whose parts is binary, or that is a part of a binary one, without a recipe of its own.
    """
    if recipe is None and any(isinstance(part, BinaryLayer | PackedLayer) for part in model.modules()):
        raise UserError(
            f"this {type(model).__name__} has binary layers and no recipe: save the model that binarize_ was "
            "called on, or call it on this one"
        )
    largest = min(LARGEST, max(SMALL, sum(value.numel() for value in state.values())))
    _fitting(config, recipe, state, f"this {type(model).__name__}", type(model), largest)


def _fitting(
    config: Any, recipe: Any, state: dict[str, Tensor], source: object, own: Any, largest: int
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """The tensors under the model's names, and names that share a parameter; every tensor has its place then."""
    _class_of(config, own)  # imports modules, which must not happen on the meta device
    import binviz.layers.attention  # noqa: F401

    with torch.device("meta"), _at_most(4 * len(state) + 100):
        frame = build(config, recipe, largest, own)
    state, shared = _renamed(frame, state), _shared_names(frame)
    _compare(frame, state, shared, source)
    return state, shared


def _renamed(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under today's names: files may have those of an older binviz, or of an older transformers.

    `save_pretrained` writes the latter for ViT, DeiT and Swin.
    """
    from binviz.layers.attention import name_today

    state = {name_today(name): value for name, value in state.items()}
    from transformers import PreTrainedModel
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightRenaming, apply_renamings

    wanted = model.state_dict().keys()
    if not isinstance(model, PreTrainedModel) or state.keys() <= wanted:
        return state
    steps = [step for step in get_model_conversion_mapping(model) if isinstance(step, WeightRenaming)]
    names = {name: apply_renamings(name, steps) for name in state if name not in wanted}
    free = {name: new for name, new in names.items() if new in wanted and new not in state}
    return {free.get(name, name): value for name, value in state.items()}


def line_of(error: Exception) -> str:
    """What an error says, in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _class_of(config: Any, own: Any) -> Any:
    names = config.get("architectures") if isinstance(config, dict) else None
    if not (isinstance(names, list) and names and isinstance(names[0], str)):
        raise UserError("the configuration names no model class in 'architectures'")
    return model_class(names[0], own)


def _harmless(config: Any, largest: int) -> Any:
    """A configuration without what could fetch code or weights, or take all memory."""
    if isinstance(config, dict):
        return {
            key: _harmless(value, largest)
            for key, value in config.items()
            if not str(key).startswith("_") and key not in UNWANTED
        }
    if isinstance(config, list):
        return [_harmless(value, largest) for value in config]
    if isinstance(config, int) and config > largest:
        raise UserError(f"the configuration has a size of {config}, which cannot be of this model")
    return config


def _check_switches(config: Any) -> None:
    """Refuse what transformers does not look at itself, and what only a running model would trip over."""
    from transformers import PreTrainedConfig

    for name, usual in vars(PreTrainedConfig()).items():
        if isinstance(usual, int) and not isinstance(getattr(config, name), int):
            raise UserError(f"the configuration's {name} is {str(getattr(config, name))[:40]!r}, no number")
    heads = getattr(config, "num_attention_heads", 1)
    if min(heads if isinstance(heads, list) else [heads]) < 1:
        raise UserError(f"the configuration's num_attention_heads is {heads}, and must be at least 1")


@contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Stop building a model with more parameters, each a tensor, than the file has tensors for."""
    thread, count = threading.get_ident(), 0

    def hook(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal count
        if threading.get_ident() == thread:
            count += 1
            if count > parameters:
                raise UserError("the configuration describes a larger model than the file holds")

    handle = register_module_parameter_registration_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _shared_names(model: nn.Module) -> dict[str, list[str]]:
    """Every parameter's name that is not its only one -> all of them."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[id(parameter)].append(name)
    return {name: group for group in names.values() if len(group) > 1 for name in group}


def _compare(
    model: nn.Module, state: dict[str, Tensor], shared: dict[str, list[str]], source: object
) -> None:
    wanted = model.state_dict()
    lacking = [name for name in wanted if not any(other in state for other in shared.get(name, [name]))]
    extra = [name for name in state if name not in wanted]
    wrong = [
        f"{name} {given} instead of {needed}"
        for name, value in wanted.items()
        if name in state
        for given, needed in (
            (tuple(state[name].shape), tuple(value.shape)),
            (_kind(state[name]), _kind(value)),
        )
        if given != needed
    ]
    for what, names in (("lacks", lacking), ("has the unknown", extra), ("has", wrong)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            old = "; an older transformers wrote it: read it with from_pretrained and save it again"
            hint = old if names[0].endswith("position_ids") else ""
            raise UserError(
                f"{source} does not fit its configuration: it {what} {names[0][:150]}{more}{hint}"
            )


def _kind(value: Tensor) -> str:
    """The tensor's dtype, whose precision does not matter for floats."""
    return "float" if value.is_floating_point() else str(value.dtype).removeprefix("torch.")
