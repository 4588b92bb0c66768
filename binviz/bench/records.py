"""Runs of the benchmark, as they were on a machine: shipped with the package, one file a machine."""

import json
from pathlib import Path
from typing import Any

from binviz.errors import UserError
from binviz.files import replace_files

SHIPPED = Path(__file__).parents[1] / "evidence" / "bench"
PARTS = {"machine": dict, "two_threads_over_one": list, "products": list, "layers": list, "models": list}
#: Parts that older records lack.
LATER = {"peers": dict, "crossover": dict}


def write(record: dict[str, Any], path: Path) -> None:
    """Write a record of `binviz.bench.run`.

    Raises:
        UserError: it cannot be written.
    """
    text = json.dumps(record, indent=1) + "\n"
    replace_files({path: lambda path: path.write_text(text, "utf-8")})


def check_place(path: Path) -> None:
    """Refuse a place that cannot be written to, before anything is measured.

    Raises:
        UserError: it cannot.
    """
    new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> dict[str, Any]:
    """Read it again.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no record of a benchmark: {error}") from error
    whole = isinstance(record, dict) and all(
        isinstance(record.get(part), kind) for part, kind in PARTS.items()
    )
    if not whole or not all(isinstance(record.get(part, kind()), kind) for part, kind in LATER.items()):
        raise UserError(f"{path} is no record of a benchmark: write one with binviz bench --out {path.name}")
    return record


def machine(record: dict[str, Any]) -> str:
    """The machine of a record in one line, as a label of its numbers.

    >>> machine({"machine": {"cpu": "Example 9000", "cores": 2, "flags": ["avx2"]}})
    'Example 9000, 2 cores (avx2)'
    """
    about = record["machine"]
    return f"{about['cpu']}, {about['cores']} cores ({', '.join(about['flags'])})"


def shipped() -> dict[str, dict[str, Any]]:
    """Machine -> its record.

    >>> all(record["machine"]["cpu"] for record in shipped().values())
    True
    """
    return {path.stem: read(path) for path in sorted(SHIPPED.glob("*.json"))}
