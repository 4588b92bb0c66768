"""Records of runs: what was trained, with which settings, on which data, by which code, and what came out.

One JSON file a run, `<experiment>/<cell>.seed<N>.json`. Records shipped with the package and a user's own
are read alike.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from binviz.errors import UserError
from binviz.files import replace_files

KINDS: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "dict": dict}
SHIPPED = Path(__file__).parent / "runs"


@dataclass(frozen=True)
class Run:
    """One recorded run.

    config: every setting. selection: how the reported model was chosen. data: split -> sha256.
    metrics: name -> value. predictions: hexadecimal bits, one per evaluated example, 1 = correct
    (`correct_bits`). curves: at most 200 points each. machine: CPU or GPU, threads, versions. file: of a bundled
    model, the shipped file that metrics and predictions were measured with, see `binviz.training.bundle.judged`.
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
    curves: dict[str, Sequence[float]] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)

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
    try:
        run = Run(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a run record: {error}") from error
    for entry in fields(Run):
        kinds = KINDS[str(entry.type).partition("[")[0]]
        if not isinstance(getattr(run, entry.name), kinds):
            raise UserError(f"{path} is not a run record: {entry.name} is no {entry.type}")
    return run


def runs(folder: Path | None = None) -> Iterator[Run]:
    """All records shipped with the package, then those under `folder`."""
    for root in (SHIPPED, folder):
        if root is not None:
            for path in sorted(root.glob("*/*.seed*.json")):
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


def differing(run: Run, correct: np.ndarray) -> int | None:
    """How many examples are right in a record and wrong here, or the other way; None where it has no such bits.

    Args:
        run: with a bit for each example.
        correct: bool (examples,), the same examples in the same order.

    >>> run = Run("e", "c", 0, {}, "", {}, {}, 1.0, predictions=correct_bits(np.array([True, False, True])))
    >>> differing(run, np.array([True, True, False]))
    2
    """
    bits = np.frombuffer(bytes.fromhex(run.predictions), dtype=np.uint8)
    if not len(correct) or len(bits) != -(-len(correct) // 8):
        return None
    recorded = np.unpackbits(bits, count=len(correct), bitorder="little").astype(bool)
    return int((recorded != correct).sum())


def code_state() -> dict[str, Any]:
    """Commit of binviz's source tree and whether it has uncommitted changes; empty outside a checkout of it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
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
        name = subprocess.run(command, capture_output=True, text=True).stdout.strip()
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
