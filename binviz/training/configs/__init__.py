"""Settings of `binviz train glue` and `binviz train images` in TOML files.

Top-level keys are for every task; GLUE's files have a table for each task's own.

The files beside this one are shipped; a user's own is named by its path.
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

FOLDER = Path(__file__).parent
#: Bytes of a configuration, at most.
MOST = 2**18


def names() -> list[str]:
    """Names of the shipped files.

    >>> names()
    ['bit-bert-base', 'bivit-swin-t-imagenet', 'bivit-swin-t-tiny-imagenet']
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


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
    tables = _tables(name)
    of_tasks = {key: value for key, value in tables.items() if isinstance(value, dict)}
    for table in of_tasks:
        if table not in glue.TASKS:
            raise UserError(f"{name}: [{table}] is no GLUE task; choose from: {', '.join(glue.TASKS)}")
    settings = {key: value for key, value in tables.items() if key not in of_tasks} | of_tasks.get(task, {})
    return _checked(name, settings, GlueConfig, but="task")


def read_images(name: str) -> dict[str, Any]:
    """The settings of a chain on pictures, as keyword arguments of `ImagesConfig`.

    Args:
        name: of a shipped file, or path of a file.

    Raises:
        UserError: no such file, no TOML, or a setting that does not exist or has another type.

    >>> read_images("bivit-swin-t-imagenet")["stages"]
    ('bivit-attention', 'bivit-mixed')
    """
    return _checked(name, _tables(name), ImagesConfig)


def _tables(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    what = f"a configuration in TOML (shipped: {', '.join(names())})"
    text = text_of(path, what, MOST)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not {what}: {error}") from error


def _checked(name: str, settings: dict[str, Any], kind: type, but: str = "") -> dict[str, Any]:
    """The settings, each of which `kind` has and is of its type."""
    known = {key: of for key, of in get_type_hints(kind).items() if key != but}
    for key, value in settings.items():
        if key not in known:
            raise UserError(f"{name}: there is no setting {key!r}; choose from: {', '.join(known)}")
        if type(value) is int and abs(value) >= LARGEST:  # one of many digits has no text
            raise UserError(f"{name}: {key} must be less than 2**63")
        if not fits(value, known[key]):
            word = "list of names" if get_args(known[key]) else known[key].__name__
            raise UserError(f"{name}: {key} cannot be {_shown(value)}; it is a {word}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def _shown(value: Any) -> str:
    try:
        return repr(value)[:80]
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of very many digits"
