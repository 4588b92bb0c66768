"""What was tried, solved and guessed: kept beside the notebook, so that it outlives the kernel.

The file, `binviz-tally.json`, is written only where a notebook runs, in the folder of that notebook.
"""

import contextlib
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from binviz.errors import UserError, one_line
from binviz.files import replace_files

FILE = "binviz-tally.json"
_kept: dict[str, dict[str, Any]] = {"exercises": {}, "guesses": {}}


def tried(exercise: str, right: bool) -> None:
    """Count a try. An exercise that was right once stays right."""
    kept = _read()
    before = kept["exercises"].get(exercise, {"right": False, "tries": 0})
    kept["exercises"][exercise] = {"right": before["right"] or right, "tries": before["tries"] + 1}
    _write()


def predict(place: str, guess: Any) -> None:
    """Keep a guess until `compare` shows it. None is no guess.

    Args:
        place: what it is about, such as "05.4" for notebook 05, section 4.
        guess: a number, a text, a list, or a dictionary of them.

    >>> predict("05.4", ["float", "1 bit"])
    05.4: kept.
    >>> compare("05.4", ["float", "2 bits", "1 bit"])
    you said  float, 1 bit
    it is     float, 2 bits, 1 bit
    """
    kept = _read()
    if guess is None:
        kept["guesses"].pop(place, None)
        print(f"{place}: no guess yet. Write yours in place of None.")
    else:
        kept["guesses"][place] = _plain(guess)
        print(f"{place}: kept.")
    _write()


def compare(place: str, result: Any) -> None:
    """Print a guess beside the result.

    >>> compare("00.0", 0.25)
    you said  nothing
    it is     0.25
    """
    guess = _read()["guesses"].get(place, "nothing")
    print(f"you said  {_shown(guess)}\nit is     {_shown(_plain(result))}")


def tally(to: str | Path | None = None) -> None:
    """Print how many exercises of each notebook are solved.

    It can be cheated: the file is plain text, and the answers are in the source. It is for yourself, not for a grade.

    Args:
        to: a file to write, too: `.json` has exercises and guesses, `.csv` one line for each exercise.

    Raises:
        UserError: another kind of file, or one that cannot be written.
    """
    from binviz import check

    kept = _read()
    names = [name for name in check.__all__ if name.startswith("ex_")]
    for notebook in sorted({name.split("_")[1] for name in names}, key=int):
        own = [kept["exercises"].get(n, {}).get("right", False) for n in names if n.split("_")[1] == notebook]
        print(f"{int(notebook):02d}  {'■' * sum(own)}{'□' * (len(own) - sum(own))}  {sum(own)} of {len(own)}")
    print("For yourself, not for a grade: whoever wants to can cheat.")
    if to is None:
        return
    if Path(to).suffix == ".json":
        _replace(Path(to), _json())
    elif Path(to).suffix == ".csv":
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["exercise", "about", "right", "tries"])
        for name in names:
            own = kept["exercises"].get(name, {"right": False, "tries": 0})
            rows.writerow([name, getattr(check, name).about, int(own["right"]), own["tries"]])
        _replace(Path(to), text.getvalue())
    else:
        raise UserError(f"cannot write {to}: name a file that ends in .json or .csv")


def _file() -> Path | None:
    """Where marks are kept; None outside of notebooks, where they last as long as the process."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return Path.cwd() / FILE if getattr(shell, "kernel", None) is not None else None


def _read() -> dict[str, dict[str, Any]]:
    file = _file()
    if file is not None:
        try:
            found = json.loads(file.read_text("utf-8"))
            marks = {name: mark for name, mark in found["exercises"].items() if {"right", "tries"} == {*mark}}
            _kept.update(exercises=marks, guesses=dict(found["guesses"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # none yet, or damaged: what this kernel knows is what there is
    return _kept


def _write() -> None:
    file = _file()
    if file is not None:
        with contextlib.suppress(
            UserError
        ):  # where a folder cannot be written, marks last as long as the kernel
            _replace(file, _json())


def _json() -> str:
    return json.dumps(_kept, indent=1, ensure_ascii=False) + "\n"


def _replace(file: Path, text: str) -> None:
    replace_files({file: lambda place: place.write_text(text, "utf-8", newline="")})


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, bool | int | float | str) else one_line(repr(value))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:.4g}" if isinstance(value, float) else one_line(value)
