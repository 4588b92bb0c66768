"""Damaged files of every kind: each must be refused in one clear line, or load as exactly what it says.

    python -m binviz.bench.fuzz --count 2000

Files are read in a process of their own with a limit of memory and time; where it dies or hangs, that file counts as
a failure and a new process goes on behind it. What is damaged, and what it means that a file is loaded, says
`binviz.bench.fuzzed`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from binviz.bench.fuzzed import TARGETS, Target
from binviz.errors import LONGEST, UserError

MEMORY = 1 << 30  # bytes beyond what the process has when it starts
SECONDS = 60.0  # a file, on a busy machine; it takes some hundredths
STARTING = 1200.0  # the process, where kernels have to be compiled first
READY = "ready\n"


class Outcome(NamedTuple):
    """What became of one file: "refused", "loaded", or else what went wrong.

    kind: of file, a name of `TARGETS`. number: of the damage; the same number is the same damage. damage: its name.
    """

    kind: str
    number: int
    damage: str
    result: str
    detail: str

    @property
    def right(self) -> bool:
        return self.result in ("refused", "loaded")


def attempt(target: Target) -> tuple[str, str]:
    """Take in what was damaged as a user would: "refused" with the line, "loaded", or what went wrong."""
    try:
        wrong = target.read()
    except UserError as error:
        line = str(error)
        if not line.isprintable() or not 0 < len(line) <= LONGEST:
            return "no clear line", ascii(line)[:LONGEST]
        return ("out of memory" if _is_memory(error) else "refused"), line
    except BaseException as error:  # a panic of a library in Rust is no Exception
        return type(error).__name__, str(error)[:300]
    return wrong or ("loaded", "")


def _is_memory(error: BaseException) -> bool:
    cause = error.__cause__
    return (
        isinstance(error, MemoryError)
        or "allocate" in str(error)
        or (cause is not None and _is_memory(cause))
    )


def work(kind: str, seed: int, first: int, last: int) -> None:
    """The process that reads files of a kind: a line of JSON for each."""
    import torch

    # Libraries print to the standard output, too: the results get it for themselves
    results = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[kind](Path(folder))
        target.damage(seed, 0)
        attempt(target)  # everything is imported now
        limit_memory(MEMORY)
        results.write(READY)
        for number in range(first, last):
            damage = target.damage(seed, number)
            print(json.dumps([kind, number, damage, *attempt(target)]), file=results)


def limit_memory(more: int) -> None:
    """Let this process have so many bytes more than it has now, where the system knows how."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))
    except (ImportError, OSError):
        pass


def outcomes(
    count: int, kinds: Sequence[str] = tuple(TARGETS), seed: int = 0, first: int = 0, seconds: float = SECONDS
) -> Iterator[Outcome]:
    """What becomes of `count` damaged files of each kind, from number `first` on."""
    for kind in kinds:
        yield from _of_kind(kind, seed, first, first + count, seconds)


def _of_kind(kind: str, seed: int, first: int, last: int, seconds: float) -> Iterator[Outcome]:
    while first < last:
        command = [sys.executable, "-m", "binviz.bench.fuzz", "--work", f"{kind},{seed},{first},{last}"]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                lines = _lines(process)
                if _next(lines, STARTING) != READY:
                    raise RuntimeError(f"the process that reads {kind} did not start")
                line: str | None = READY
                while first < last and (line := _next(lines, seconds)):
                    yield Outcome(*json.loads(line))
                    first += 1
                if line == "":
                    process.wait(seconds)
            finally:
                process.kill()
        if first < last:
            result, detail = "timeout", f"{seconds} seconds"
            if line is not None:
                result, detail = "crash", f"the process ended with status {process.returncode}"
            yield Outcome(kind, first, "", result, detail)
            first += 1


def _lines(process: subprocess.Popen[str]) -> queue.Queue[str]:
    """What a process prints, line by line; an empty one when it ends."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines


def _next(lines: queue.Queue[str], seconds: float) -> str | None:
    """The next line, or None if there is none in that time."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def main(arguments: list[str] | None = None) -> None:
    """Print a table of counts and every failure; the exit status says whether there was one."""
    parser = argparse.ArgumentParser(prog="python -m binviz.bench.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="how many of each kind (default: 2000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=TARGETS, action="append", help="only these (default: all)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        kind, *numbers = options.work.split(",")
        work(kind, *map(int, numbers))
        return
    counts: Counter[tuple[str, str]] = Counter()
    failures = 0
    print(f"{'kind':16}{'refused':>10}{'loaded':>10}{'failed':>10}")
    for kind in options.kind or TARGETS:
        for outcome in outcomes(options.count, [kind], options.seed, options.first):
            counts[kind, outcome.result if outcome.right else "failed"] += 1
            if not outcome.right:
                failures += 1
                print(
                    f"{kind} {outcome.number} {outcome.damage}: {outcome.result}: {outcome.detail}",
                    flush=True,
                )
        results = ("refused", "loaded", "failed")
        print(f"{kind:16}" + "".join(f"{counts[kind, result]:10}" for result in results), flush=True)
    raise SystemExit(failures > 0)


if __name__ == "__main__":
    main()
