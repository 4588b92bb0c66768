"""The whole benchmark: the machine's limit first, then kernels, models, a training step, and the import."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from binviz_kernels import forms
from rich.console import Console

from binviz.bench import (
    crossover,
    distances,
    imports,
    kernels,
    limit,
    models,
    peers,
    products,
    quiet,
    records,
    report,
    restricted,
    steps,
)
from binviz.bench.machine import describe, kernel_form, matrix_units, usable_cores
from binviz.errors import UserError
from binviz.evidence import runs

Record = dict[str, Any]


def command(quick: bool, out: Path | None, threads: tuple[str, ...], busy: bool) -> None:
    """`binviz bench`: measure, print every table as it is ready, and write the record where told.

    Raises:
        UserError: no such number of threads, a file that cannot be written, or the machine was disturbed.
    """
    chosen = check_threads(threads or tuple(str(n) for n in sorted({1, min(2, usable_cores())})))
    if out is not None:
        records.check_place(out)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    about = describe()
    console.print(f"{about['cpu']}, {about['cores']} cores: {' '.join(about['flags'])}")
    console.print(", ".join(f"{name} {version}" for name, version in about["packages"].items()))
    console.print(kernel_form())
    console.print(matrix_units(about["flags"]))

    def tell(name: str, record: Record) -> None:
        if name in report.TABLES:
            console.print(report.TABLES[name](record))

    # Nothing turns on the screen meanwhile: it would take its time from what is measured.
    console.print(
        f"Measuring takes about {'one minute' if quick else 'eight minutes'}; leave the machine alone.\n"
    )
    record = measure(
        chosen, quick, busy, tell, lambda: console.print("This machine is busy; waiting until it is not.")
    )
    console.print(report.targets(record))
    if record["busy"]:
        console.print("[red]This machine was busy: these numbers are nobody's.[/]")
    if out is not None:
        records.write(record, out)
        console.print(f"written to {out}")


def check_threads(threads: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of threads, if this machine has them.

    Raises:
        UserError: it names those that it has.

    >>> check_threads(("1",))
    (1,)
    """
    if not all(t.isascii() and t.isdigit() and 1 <= int(t) <= usable_cores() for t in threads):
        raise UserError(f"--threads takes numbers from 1 to {usable_cores()}, the cores of this machine")
    return tuple(map(int, threads))


def measure(
    threads: tuple[int, ...],
    quick: bool = False,
    busy: bool = False,
    tell: Callable[[str, Record], object] = lambda part, record: None,
    waits: Callable[[], object] = lambda: None,
) -> Record:
    """Measure everything, in turns, on this machine.

    Args:
        threads: numbers of threads for layers, models and training; products and distances run on one.
        quick: fewer rounds, only the layer 768 -> 768 and BERT-base with one text; neither peers nor crossover.
        busy: measure on a disturbed machine, too; the record says so.
        tell: called after every part with its name and the record so far.
        waits: called whenever a quiet machine is quiet no longer.

    Returns:
        machine, code, quick, form, threads, two_threads_over_one (every look of `quiet`), busy; then the parts: limit,
        products, distances, layers, models, restricted, peers, crossover, steps, imports, each as its module's
        `measure` gives it. Plain data.

    Raises:
        UserError: the machine was disturbed.
    """
    rounds, few = (10, 3) if quick else (30, 10)

    def on_one_thread(part: Callable[[], Any]) -> Any:
        kernels.set_threads(1)
        return part()

    record: Record = {
        "machine": describe(), "code": runs.code_state(), "quick": quick, "form": forms.CHOSEN.name,
        "threads": list(threads), "two_threads_over_one": [], "busy": False,
    }  # fmt: skip
    for name, part in parts(threads, quick, rounds, few).items():
        measured = partial(on_one_thread, part)
        if busy:
            before, record[name], after = quiet.speedup(rounds=10), measured(), quiet.speedup(rounds=10)
            looks = [before, after]
            record["busy"] |= quiet.disturbed(looks)
        else:
            record[name], looks = quiet.between(measured, waits)
        record["two_threads_over_one"] += looks
        tell(name, record)
    return record


def parts(threads: tuple[int, ...], quick: bool, rounds: int, few: int) -> dict[str, Callable[[], Any]]:
    """What is measured, in this order: name -> function. Whole models and steps are timed `few` times."""
    layers = kernels.LAYERS[:1] if quick else kernels.LAYERS
    cases = {name: case for name, case in models.CASES.items() if not quick or name == "BERT-base"}
    found: dict[str, Callable[[], Any]] = {
        "limit": lambda: limits(rounds),
        "products": lambda: [products.measure(*shape, rounds) for shape in products.SHAPES],
        "distances": lambda: [distances.measure(*shape, rounds) for shape in distances.SHAPES],
        "layers": lambda: [
            kernels.measure(t, rows, *layer, rounds)
            for t in threads for layer in layers for rows in kernels.ROWS
        ],
        "models": lambda: [line for name, case in cases.items() for line in _models(name, case, threads, quick, few)],
    }  # fmt: skip
    if not quick and restricted.available():
        found["restricted"] = lambda: restricted.measure(threads, few)
    if not quick:
        found |= {
            "peers": lambda: peers.measure(threads, few),
            "crossover": lambda: crossover.measure(crossover.SIZES, crossover.ROWS),
        }
    return found | {
        "steps": lambda: [steps.measure(t, few) for t in threads],
        "imports": imports.measure,
    }


def limits(rounds: int) -> dict[str, Any]:
    """The better limit, and every way to it."""
    ways = limit.measure(rounds)
    return limit.best(ways)._asdict() | {"ways": {name: speed._asdict() for name, speed in ways.items()}}


def _models(
    name: str, case: models.Case, threads: tuple[int, ...], quick: bool, few: int
) -> list[dict[str, Any]]:
    contestants = models.build(case)
    return [
        line
        for batch in (case.batches[:1] if quick else case.batches)
        for t in threads
        # Large batches take long, and their times differ little.
        for line in models.measure(name, contestants, t, batch, few if batch == 1 else -(-few // 2))
    ]
