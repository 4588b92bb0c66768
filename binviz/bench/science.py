"""Would a test notice if the declared science were another? Every change of `binviz.bench.mutants`, one at a time.

    python -m binviz.bench.science          # all of them, in about half an hour
    python -m binviz.bench.science 4 5      # some

Works on a copy of the source tree. A change is killed if its tests fail, and survives if they pass; first they must
pass without it. Ends with status 1 unless all are killed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from binviz.bench.mutants import MUTANTS, Mutant
from binviz.errors import UserError

ROOT = Path(__file__).parents[2]
COPIED = ("binviz", "kernels", "dashboard", "tests", "conftest.py", "pyproject.toml")
#: Seconds after which tests count as hanging.
PATIENCE = 600


def copy_tree(place: Path) -> None:
    """The parts of the source tree that tests stand on, without what was compiled.

    Raises:
        UserError: this binviz is no source tree.
    """
    if not (ROOT / "tests").is_dir():
        raise UserError("there are no tests beside this binviz; run it in a clone of its repository")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place / name)


def changed(text: str, mutant: Mutant) -> str | None:
    """A file's text with the change, or None where the old text does not stand in it once.

    >>> changed("STEPS = 1000", Mutant("more steps", "edge.py", "1000", "2000", ()))
    'STEPS = 2000'
    """
    return text.replace(mutant.old, mutant.new) if text.count(mutant.old) == 1 else None


def outcome(place: Path, tests: tuple[str, ...]) -> str:
    """What became of some tests in that tree: "pass", "fail", "hang", or pytest's own status."""
    folders = (place, place / "kernels", place / "dashboard")
    settings = {"PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=place, env=os.environ | settings, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return "hang"
    return {0: "pass", 1: "fail"}.get(done.returncode, f"pytest's status {done.returncode}")


@cache
def usual(place: Path, tests: tuple[str, ...]) -> str:
    """`outcome` of the unchanged tree."""
    return outcome(place, tests)


def verdict(place: Path, mutant: Mutant) -> str:
    """Whether a change is killed; the tree is as before afterwards."""
    file = place / mutant.file
    before = file.read_text("utf-8") if file.exists() else ""
    after = changed(before, mutant)
    if after is None:
        return f"NOT FOUND: {mutant.old.strip()!r} does not stand once in {mutant.file}"
    if usual(place, mutant.tests) != "pass":
        return f"NO ANSWER: without the change the tests end with: {usual(place, mutant.tests)}"
    file.write_text(after, "utf-8")
    try:
        found = outcome(place, mutant.tests)
    finally:
        file.write_text(before, "utf-8")
    return {"fail": "killed", "pass": "SURVIVED"}.get(found, f"NO ANSWER: {found}")


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each change; 0 if all are killed."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.bench.science", description=__doc__.split("\n")[0]
    )
    parser.add_argument("numbers", nargs="*", type=int, help="of the changes to try; by default all")
    numbers = parser.parse_args(arguments).numbers or list(range(1, len(MUTANTS) + 1))
    if not set(numbers) <= set(range(1, len(MUTANTS) + 1)):
        parser.error(f"changes have the numbers 1 to {len(MUTANTS)}")
    verdicts = []
    with TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        try:
            copy_tree(place)
        except UserError as error:
            parser.error(str(error))
        for number in numbers:
            mutant = MUTANTS[number - 1]
            verdicts.append(verdict(place, mutant))
            print(f"{number:2}  {mutant.what:58} {mutant.file:36} {verdicts[-1]}", flush=True)
    print(f"{verdicts.count('killed')} of {len(verdicts)} killed")
    return int(verdicts.count("killed") < len(verdicts))


if __name__ == "__main__":
    sys.exit(main())
