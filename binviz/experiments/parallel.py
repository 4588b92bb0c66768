"""Cells of an experiment in several processes of this machine, or on the workers of a Dask cluster.

    binviz reproduce bibench --jobs 4
    binviz reproduce bibench --cluster tcp://scheduler:8786

Both are backends of joblib, "loky" and "dask"; "ray" is its other one, for a cluster of Ray. What is sent is data, an
experiment and the name of a cell: models and records lie in the folder `out`, which all workers see.

Cells go out in waves, in each in order of priority: a wave is the cells whose teachers are there, or were in an earlier
one. A cell that has its rate from a search comes with the cells of it, one after the other. Each is computed by one
thread; where a worker dies, its cell goes on from its checkpoint. A worker that joins a cluster later gets cells, too.
Where none is left the command waits for others; a cell that Dask gives up, as it does where four workers died of it,
and a worker of several threads end it with a line.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from binviz.errors import UserError, one_line
from binviz.evidence import runs
from binviz.experiments import cells, operators
from binviz.experiments.cells import Cell, Experiment
from binviz.files import alone
from binviz.recipes import Recipe

#: How often a cell is begun whose workers die.
TRIES = 3
GOES_ON = "the same command goes on from here"
DIED = f"died {TRIES} times, as they do for want of memory; {GOES_ON}, better with fewer at a time"
FITS = "workers that join later need the same binviz, too, and memory for it"
SHARED = "all workers need one folder under the same path: name it with --out"


def waves(experiment: Experiment, out: Path, pattern: str = "*", seed: int = 0) -> list[list[Cell]]:
    """The cells that `cells.reproduce` would run, but those that come with another one's search.

    Args:
        experiment, out, pattern, seed: as there.

    Raises:
        UserError: no such cell, or a record in `out` of another run.

    >>> from dataclasses import replace
    >>> from binviz.experiments import bibench
    >>> network = replace(bibench.NETWORKS[0], bundled="")
    >>> own = Experiment("own", bibench.cells_of([network], bibench.rows_of("bnn", "bnn", "")), (), {})
    >>> [[cell.name for cell in wave] for wave in waves(own, Path("nowhere"))]
    [['digits-cnn.float'], ['digits-cnn.bnn']]
    """
    records = experiment.records(out)
    asked = [c for c in experiment.wanted(pattern) if not experiment.finished(c, seed, records, out)]
    searched = {cell.name_of(row) for cell in asked for row in cell.search}
    wave_of: dict[str, int] = {}

    def place(cell: Cell) -> int:
        if cell.name not in wave_of:
            wave_of[cell.name] = 1 + max((place(each) for each in teachers(cell)), default=-1)
        return wave_of[cell.name]

    def teachers(cell: Cell) -> Iterator[Cell]:
        """Those of the cell and of its search whose models are still to be made."""
        for each in (experiment.cell(cell.name_of(row)) for row in (cell.row, *cell.search)):
            for row in filter(None, (each.teacher, each.taught_by)):
                teacher = experiment.cell(each.name_of(row))
                there = teacher.bundled or (out / f"{teacher.name}.seed{seed}").is_dir()
                run = records.get((teacher.name, seed))
                if not there and not (run and run.failed):
                    yield teacher

    for cell in asked:
        if cell.name not in searched:
            place(cell)
    ordered = [cell for cell in experiment.chosen() if cell.name in wave_of]
    return [[cell for cell in ordered if wave_of[cell.name] == wave] for wave in sorted({*wave_of.values()})]


def reproduce(
    experiment: Experiment,
    out: Path,
    pattern: str = "*",
    seed: int = 0,
    jobs: int = 1,
    cluster: str = "",
    operator: str = "",
) -> Iterator[runs.Run]:
    """`cells.reproduce` by several workers: the same cells, each once, with the same models and records.

    Args:
        experiment, out, pattern, seed: as there.
        jobs: processes on this machine.
        cluster: address of a Dask scheduler, whose workers are taken instead; they have one thread each, the data, and
            see `out` under the same path.
        operator: the binarizer of one's own that the experiment asks for, see `operators.load`: workers load it too.

    Yields:
        Each record, when it is found after the end of a cell.

    Raises:
        UserError: what `cells.reproduce` raises; another such command in `out`; no such cluster, or one with a worker
            that does not fit, at once or when it joins; workers that die again and again; interrupted. A cluster ends
            the cells that it is running.
    """
    out, told = out.resolve(), experiment.records(out)
    file, _, name = operator.rpartition(":")
    if file.endswith(".py"):
        operator = f"{Path(file).resolve()}:{name}"
    try:
        with alone(out), _sign(out) as sign, _workers(jobs, cluster, sign) as backend:
            for wave in waves(experiment, out, pattern, seed):
                tasks = [delayed(_run)(experiment, cell, out, seed, operator, sign) for cell in wave]
                for _ in _ends(tasks, backend):
                    found = experiment.records(out)
                    yield from (run for key, run in found.items() if told.get(key) != run)
                    told = found
    except KeyboardInterrupt as error:
        raise UserError(f"stopped; {GOES_ON}") from error


@contextmanager
def _sign(out: Path) -> Iterator[Path]:
    """A folder in `out` as long as the command runs: a worker that does not see it does no more."""
    for left in out.glob(".running-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".running-", dir=out, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _workers(jobs: int, cluster: str, sign: Path) -> Iterator[dict[str, Any]]:
    """What `joblib.parallel_config` is given.

    Raises:
        UserError: no such cluster, or a worker that does not fit.
    """
    if not cluster:
        yield {"backend": "loky", "n_jobs": jobs}
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError("--cluster needs one more package: pip install 'binviz[cluster]'") from error
    try:
        client = Client(cluster, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no Dask scheduler at {cluster}: {error}; start one: dask scheduler") from error
    with client:
        threads, sees = client.nthreads(), client.run(_sees, sign, on_error="return")
        if not threads:
            raise UserError(f"{cluster} has no workers; start some: dask worker {cluster} --nthreads 1")
        for worker, number in threads.items():
            if number > 1:  # torch's random numbers are those of a process
                raise UserError(f"the worker {worker} has {number} threads; start it with --nthreads 1")
            if isinstance(sees.get(worker), Exception):
                raise UserError(f"{worker} lacks this binviz: {sees[worker]}; install the same one there")
            if not sees.get(worker):
                raise UserError(f"the worker {worker} does not see {sign.parent}; {SHARED}")
        yield {"backend": _dask(client)}


def _dask(client: Any) -> Any:
    """The backend of joblib, which by itself waits for ever for a cell that no worker can read, or that all die of.

    Nor would it ask a single worker, but compute here.
    """
    from joblib._dask import DaskDistributedBackend

    class Told(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(super().effective_n_jobs(n_jobs), 2)

        def submit(self, func: Any, callback: Any = None) -> Any:
            def tell(done: Any) -> None:
                if error := done.exception():
                    said = one_line(f"{type(error).__name__}: {error}", 200)
                    callback(
                        UserError(f"a worker of the cluster cannot run a cell ({said}); {FITS}; {GOES_ON}")
                    )

            found = super().submit(func, callback)
            found.add_done_callback(tell)
            return found

    return Told(client=client)


def _ends(tasks: list[Any], backend: dict[str, Any]) -> Iterator[None]:
    """Run them; nothing is given, each time that one ends. Where a process dies all begin again and skip what is there.

    Raises:
        UserError: processes die again and again, or a worker cannot run a cell.
    """
    for _ in range(TRIES):
        try:
            with parallel_config(**backend):
                ends = Parallel(batch_size=1, return_as="generator_unordered")(tasks)
            yield from ends
            return
        except TerminatedWorkerError:
            continue
    raise UserError(f"processes {DIED}")


def _sees(sign: Path) -> bool:
    return sign.is_dir()


#: Held while a cell of this process is computed.
_BUSY = threading.Lock()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Refuse a second cell in this process: both would draw from the same random numbers of torch.

    Raises:
        UserError: another thread is at one.
    """
    if not _BUSY.acquire(blocking=False):
        raise UserError(f"a worker on {platform.node()} has several threads; start it with --nthreads 1")
    try:
        yield
    finally:
        _BUSY.release()


@lru_cache
def _recipe(operator: str) -> Recipe:
    return operators.recipe_of(operators.load(operator))


def _run(experiment: Experiment, cell: Cell, out: Path, seed: int, operator: str, sign: Path) -> None:
    """What a worker does: the cells of the search, the cell, and its model where only a record is shipped.

    Raises:
        UserError: what `cells.reproduce` raises; no such folder here, or an operator of another version; workers died
            of this cell again and again; this one has several threads.
    """
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)
    if not _sees(sign):
        raise UserError(f"{platform.node()} does not see {out}; {SHARED}")
    # Dask replaces workers by itself, so that each begin is counted here: a byte
    with (sign / cell.name).open("ab") as begun:
        begun.write(b".")
    if (sign / cell.name).stat().st_size > TRIES:
        raise UserError(f"workers of {cell.name} {DIED}")
    if operator and all(each.stage.recipe != _recipe(operator) for each in experiment.cells):
        raise UserError(f"{platform.node()} has another version of {operator}; let all workers see one file")
    for name in (*map(cell.name_of, cell.search), cell.name):
        # A worker that lost its command, or the scheduler, may still be at it
        with FileLock(out / ".locks" / f"{name}.seed{seed}"), _one_at_a_time():
            if _sees(sign):
                list(cells.reproduce(experiment, out, name, seed))
                if name == cell.name:
                    list(cells.trained(experiment, name, out, seed))
