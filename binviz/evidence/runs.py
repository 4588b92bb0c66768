"""Records of runs: what was trained, with which settings, on which data, by which code, and what came out.

One JSON file a run, `<experiment>/<cell>.seed<N>.json`. Records shipped with the package and a user's own
are read alike.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from binviz.errors import UserError
from binviz.files import replace_files
from binviz.reading import declared, fits, json_of

#: What the settings are that readers of records look at.
SETTINGS: dict[str, Any] = {"train": dict[str, Any], "identity": dict[str, Any], "why": str}
#: No run takes longer.
SECONDS = 1e9
SHIPPED = Path(__file__).parent / "runs"


@dataclass(frozen=True)
class Run:
    """One recorded run.

    config: every setting. selection: how the reported model was chosen. data: split -> sha256.
    metrics: name -> value. examples: how many were evaluated. predictions: hexadecimal bits, one for each, 1 = correct
    (`correct_bits`). scores: one for each where they are not right or wrong, see `of_examples`. curves: at most 200
    points each. machine: CPU or GPU, threads, versions. file: of a bundled model, the shipped file that metrics and
    examples were measured with, see `binviz.training.bundle.judged`. failed: why there is no model, in a line, "" where
    there is one; such a run has no number.
    """

    experiment: str
    cell: str
    seed: int
    config: dict[str, Any]
    selection: str
    data: dict[str, str]
    metrics: dict[str, float]
    seconds: float
    predictions: str = ""
    examples: int = 0
    scores: str = ""
    curves: dict[str, Sequence[float]] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)
    failed: str = ""

    @property
    def path(self) -> Path:
        return Path(self.experiment) / f"{self.cell}.seed{self.seed}.json"


def write(run: Run, folder: Path) -> Path:
    """Write a record under `folder`; returns its path.

    Args:
        run: its experiment, cell and seed make the path.
        folder: of all records; made if it is not there.

    Raises:
        UserError: it cannot be written.

    >>> import tempfile
    >>> run = Run("digits", "cnn.xnor", 0, {"lr": 0.001}, "last step", {}, {"accuracy": 0.9}, seconds=2.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write(run, Path(folder))
    ...     path.name, read(path) == run
    ('cnn.xnor.seed0.json', True)
    """
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in asdict(run).items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    replace_files({folder / run.path: lambda path: path.write_text(text, "utf-8")})
    return folder / run.path


def read(path: Path) -> Run:
    """Read one record, as `write` wrote it.

    Raises:
        UserError: the file is no run record, or cannot be read.
    """
    values = json_of(path, "a run record")
    try:
        run = Run(**declared(Run, values))
        _check(run)
    except ValueError as error:
        raise UserError(f"{path} is not a run record: {error}") from error
    return run


def _check(run: Run) -> None:
    """Raise ValueError unless its parts fit together, as those who show or go on from it take for granted."""
    for name in ("experiment", "cell"):
        if {"/", "\\"} & set(getattr(run, name)):
            raise ValueError(f"{name} is part of a file's name and has a slash")
    if run.failed and (run.metrics or run.examples or run.predictions or run.scores):
        raise ValueError("it failed, and has a number all the same")
    if run.seed < 0 or run.examples < 0 or not 0 <= run.seconds <= SECONDS:
        raise ValueError("seed, examples and seconds are 0 or more, and seconds less than a century's")
    for name, kind in SETTINGS.items():
        if name in run.config and not fits(run.config[name], kind):
            raise ValueError(f"config has another kind of value under {name}")
    if not fits(run.config.get("train", {}).get("steps", 0), int):
        raise ValueError("config has no number of steps under train")
    for name, points in run.curves.items():
        along = "watched" if name == "watched" or "/" in name else "step"
        if len(points) != len(run.curves.get(along, ())):
            raise ValueError(f"the curve {name} has not as many points as {along}")
    each_example(run)


def runs(folder: Path | None = None, cell: str | None = None, experiment: str | None = None) -> Iterator[Run]:
    """All records shipped with the package, then those under `folder`; or only those of a cell, or of an experiment."""
    name, of = ("*" if each is None else glob.escape(each) for each in (cell, experiment))
    for root in (SHIPPED, folder):
        if root is not None:
            for path in sorted(root.glob(f"{of}/{name}.seed*.json")):
                yield read(path)


def find(experiment: str, cell: str, seed: int = 0) -> Run | None:
    """A shipped record, or None where the cell was not run."""
    path = SHIPPED / experiment / f"{cell}.seed{seed}.json"
    return read(path) if path.exists() else None


def correct_bits(correct: np.ndarray) -> str:
    """A boolean array as hexadecimal, first example in the lowest bit of the first byte.

    >>> correct_bits(np.array([True, False, True]))
    '05'
    """
    return np.packbits(correct.astype(bool), bitorder="little").tobytes().hex()


def of_examples(values: np.ndarray) -> dict[str, Any]:
    """What a record keeps of each example: fields of `Run`, and back by `each_example`.

    Args:
        values: (examples,), higher is better: bool where an answer is right or wrong, which takes a bit; else floats,
            kept in float16, little-endian, base64. What is out of its range or no number becomes its end, the lower
            one. Empty where a metric has no values of single examples.

    >>> of_examples(np.array([True, False, True])), of_examples(np.array([-0.25, -1.5]))["scores"]
    ({'predictions': '05', 'examples': 3, 'scores': ''}, 'ALQAvg==')
    """
    if values.dtype == bool:
        return {"predictions": correct_bits(values), "examples": len(values), "scores": ""}
    most = float(np.finfo(np.float16).max)
    scores = np.nan_to_num(values.astype(float), nan=-most).clip(-most, most).astype("<f2")
    return {
        "predictions": "",
        "examples": len(values),
        "scores": base64.b64encode(scores.tobytes()).decode(),
    }


def each_example(run: Run) -> np.ndarray | None:
    """(examples,) bool or float64, what `of_examples` kept; None where there is nothing of single examples.

    Raises:
        ValueError: they are damaged, or of another number of examples.

    >>> each_example(Run("e", "c", 0, {}, "", {}, {}, 1.0, predictions="05", examples=3)).tolist()
    [True, False, True]
    """
    if run.predictions:
        bits = np.frombuffer(bytes.fromhex(run.predictions), dtype=np.uint8)
        fits, values = len(bits) == -(-run.examples // 8), np.unpackbits(bits, bitorder="little").astype(bool)
    elif run.scores:
        raw = base64.b64decode(run.scores, validate=True)
        fits, values = (
            len(raw) == 2 * run.examples,
            np.frombuffer(raw[: len(raw) // 2 * 2], "<f2").astype(float),
        )
    else:
        return None
    if not fits:
        raise ValueError(f"what it has of single examples is not of {run.examples}")
    return values[: run.examples]


def differing(run: Run, correct: np.ndarray) -> int | None:
    """How many examples are right in a record and wrong here, or the other way; None where it has no such bits.

    Args:
        run: with a bit for each example.
        correct: bool (examples,), the same examples in the same order.

    >>> run = Run("e", "c", 0, {}, "", {}, {}, 1.0, predictions="05", examples=3)
    >>> differing(run, np.array([True, True, False]))
    2
    """
    if not run.predictions or correct.shape != (run.examples,):
        return None
    return int(np.sum(each_example(run) != correct))


def code_state() -> dict[str, Any]:
    """Commit of binviz's source tree and whether it has uncommitted changes; empty outside a checkout of it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=Path(__file__).parent,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        ).stdout.strip()

    try:
        git(
            "ls-files", "--error-unmatch", Path(__file__).name
        )  # fails where binviz is installed in another's
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def processor() -> str:
    """The processor's name, or what the system says in place of it.

    >>> processor() != ""
    True
    """
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text("utf-8").splitlines())
        name = next((value.strip() for field, _, value in lines if field.strip() == "model name"), "")
    elif sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace").stdout.strip()
    else:
        name = ""
    return name or platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Processor, cores, threads and the versions of torch and transformers."""
    import torch
    import transformers

    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
