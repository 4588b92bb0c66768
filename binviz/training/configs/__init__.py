"""Settings of `binviz train glue` in TOML files: top-level keys for every task, a table for each task's own.

The files beside this one are shipped; a user's own is named by its path.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from binviz.data import glue
from binviz.errors import UserError
from binviz.training.glue import GlueConfig

FOLDER = Path(__file__).parent
KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}


def names() -> list[str]:
    """Names of the shipped files.

    >>> names()
    ['bit-bert-base']
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
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"cannot read the configuration {name}: {error}; give a TOML file or one of: {', '.join(names())}"
        ) from error
    of_tasks = {key: value for key, value in tables.items() if isinstance(value, dict)}
    settings = {key: value for key, value in tables.items() if key not in of_tasks}
    for table in of_tasks:
        if table not in glue.TASKS:
            raise UserError(f"{name}: [{table}] is no GLUE task; choose from: {', '.join(glue.TASKS)}")
    settings |= of_tasks.get(task, {})
    known = {entry.name: str(entry.type) for entry in fields(GlueConfig) if entry.name != "task"}
    for key, value in settings.items():
        if key not in known:
            raise UserError(f"{name}: there is no setting {key!r}; choose from: {', '.join(known)}")
        if key == "stages":
            right = isinstance(value, list) and all(isinstance(stage, str) for stage in value)
        else:
            right = isinstance(value, KINDS[known[key]]) and isinstance(value, bool) == (known[key] == "bool")
        if not right:
            raise UserError(f"{name}: {key} cannot be {value!r}; it is a {known[key]}")
    return {key: tuple(value) if key == "stages" else value for key, value in settings.items()}
