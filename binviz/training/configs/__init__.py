"""Settings of `binviz train` and `binviz pretrain` in TOML files.

Top-level keys are for every task, a table for each GLUE task's own. The files beside this one are shipped, those for
pictures and for pre-training in folders of their own; a user's is named by its path.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

from binviz.data import glue
from binviz.errors import UserError
from binviz.reading import LARGEST, fits, text_of
from binviz.training.glue import GlueConfig
from binviz.training.images import ImagesConfig
from binviz.training.pretrain import PretrainConfig

FOLDER = Path(__file__).parent
IMAGES, PRETRAIN = FOLDER / "images", FOLDER / "pretrain"
#: Bytes of a configuration, at most.
MOST = 2**18


def names(folder: Path = FOLDER) -> list[str]:
    """Names of the shipped files, by default those of `binviz train glue`.

    >>> names(), names(PRETRAIN)
    (['bit-bert-base'], ['bipft-bert-base', 'bipft-minilm'])
    """
    return sorted(path.stem for path in folder.glob("*.toml"))


def read(name: str, task: str) -> dict[str, Any]:
    """The settings of one task, as keyword arguments of `GlueConfig`.

    Args:
        name: of a shipped file, or path of a file.
        task: a name of `binviz.data.glue.TASKS`.

    Raises:
        UserError: no such file or task, no TOML, or a setting that does not exist or has another type.

    >>> read("bit-bert-base", "sst2")["binary_lr"]
    0.0001
    """
    glue.task(task)
    tables = _tables(name, FOLDER)
    of_tasks = {key: value for key, value in tables.items() if isinstance(value, dict)}
    settings = {key: value for key, value in tables.items() if key not in of_tasks}
    for table in of_tasks:
        if table not in glue.TASKS:
            raise UserError(f"{name}: [{table}] is no GLUE task; choose from: {', '.join(glue.TASKS)}")
    kinds = {key: kind for key, kind in get_type_hints(GlueConfig).items() if key != "task"}
    return _checked(name, settings | of_tasks.get(task, {}), kinds)


def read_images(name: str) -> dict[str, Any]:
    """The settings of a chain on pictures, as keyword arguments of `ImagesConfig`; errors as `read`.

    >>> read_images("bivit-swin-t-imagenet")["stages"]
    ('bivit-attention', 'bivit-mixed')
    """
    return _checked(name, _tables(name, IMAGES), get_type_hints(ImagesConfig))


def read_pretrain(name: str) -> dict[str, Any]:
    """The settings of a pre-training, as keyword arguments of `PretrainConfig`; errors as `read`.

    >>> config = PretrainConfig(**read_pretrain("bipft-bert-base"))
    >>> config.steps, config.next_sentence, 8 * config.tokens  # of the eight processes it is meant for
    (500000, True, 32768000000)
    """
    return _checked(name, _tables(name, PRETRAIN), get_type_hints(PretrainConfig))


def _tables(name: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{name}.toml" if name in names(folder) else Path(name)
    what = f"a configuration in TOML (shipped: {', '.join(names(folder))})"
    text = text_of(path, what, MOST)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not {what}: {error}") from error


def _checked(name: str, settings: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    for key, value in settings.items():
        if key not in known:
            raise UserError(f"{name}: there is no setting {key!r}; choose from: {', '.join(known)}")
        if type(value) is int and abs(value) >= LARGEST:  # one of many digits has no text
            raise UserError(f"{name}: {key} must be less than 2**63")
        if not fits(value, known[key]):
            inside = get_args(known[key])
            word = f"list of {'names' if str in inside else 'numbers'}" if inside else known[key].__name__
            raise UserError(f"{name}: {key} cannot be {_shown(value)}; it is a {word}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def _shown(value: Any) -> str:
    try:
        return repr(value)[:80]
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of very many digits"
