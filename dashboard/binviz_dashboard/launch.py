"""Start the dashboard: `binviz app`, or `python -m binviz_dashboard`."""

from __future__ import annotations

import atexit
import errno
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from urllib.error import URLError
from urllib.request import urlopen

from binviz.errors import UserError

APP = Path(__file__).with_name("app.py")
SERVED = Path(__file__).with_name("served.py")
#: Nobody but this machine reaches it.
HERE = "localhost"

#: Given as options, because those go before a user's own files and environment.
SETTINGS = {
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",
    # Collecting torch's and transformers' objects after every run takes longer than drawing the page.
    "runner.postScriptGC": "false",
    "server.fileWatcherType": "none",
    # In MB; binviz.data.validate refuses arrays above 32 with a sentence of its own.
    "server.maxUploadSize": "33",
    "server.showEmailPrompt": "false",
    "theme.base": str(APP.with_name("theme.toml")),
}


def arguments(port: int | None = None, browser: bool = True, address: str = HERE) -> list[str]:
    """What follows `streamlit` on the command line.

    >>> arguments(port=8600)[-1], arguments(browser=False)[-1]
    ('--server.port=8600', '--server.headless=true')
    """
    chosen = {"server.address": address, "server.headless": str(not browser).lower()} | (
        {} if port is None else {"server.port": str(port)}
    )
    return ["run", str(SERVED), *(f"--{name}={value}" for name, value in (SETTINGS | chosen).items())]


def run(port: int | None = None, browser: bool = True, address: str = HERE, own: Path | None = None) -> None:
    """Serve the dashboard until interrupted, by default to nobody but this machine.

    Args:
        port: where to listen; by default the first free one from 8501.
        browser: open a window.
        address: of this machine, at which to listen; all who reach it may look and compute. 0.0.0.0 is every one.
        own: folder of models and run records of the user's, which are shown beside the shipped ones.

    Raises:
        UserError: the port is taken or no port, the address is none of this machine's, or `own` has no records.
    """
    from streamlit.web.cli import main

    from binviz_dashboard import cache

    _check_free(port, address)
    if own is not None and not any((own / "runs").glob("*/*.json")):
        raise UserError(
            f"there are no run records in {own}; give the folder that was --out of binviz reproduce"
        )
    cache.OWN = own
    print("Loading the models; the first time, kernels are compiled, which takes a minute.", flush=True)
    warm()
    main(arguments(port, browser, address), prog_name="streamlit", standalone_mode=False)


def warm() -> None:
    """What the first visitor would wait for: imports, the default models, their answers to the first question.

    What networks cost is counted beside the first visits.
    """
    from binviz_dashboard import cache, subject

    for first in list(subject.subjects().values())[:1]:
        example = first.task.example(0, first.name, cache.tokenizer(first.name))
        for name in first.pair:
            cache.answer(name, example.key, example)
    cache.questions()
    stop = Event()
    counting = Thread(target=cache.count_ahead, args=(stop,), daemon=True, name="binviz counts")
    counting.start()

    @atexit.register
    def end() -> None:  # a thread inside torch when the interpreter goes would abort the process
        stop.set()
        counting.join(timeout=10)


def _check_free(port: int | None, address: str) -> None:
    if port is not None and not 1024 <= port <= 65535:
        raise UserError(f"port {port} cannot be used; choose one from 1024 to 65535")
    with socket.socket() as trial:
        if sys.platform != "win32":  # there it would let two programs have one port
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port or 0))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UserError(
                    f"port {port} is taken; choose another one, or none to have it chosen"
                ) from error
            raise UserError(
                f"{address!r} is no address of this machine; leave it out, or try 0.0.0.0"
            ) from error


@contextmanager
def serving(seconds: float = 240, port: int | None = None) -> Iterator[str]:
    """The address of a dashboard in a process of its own, stopped at the end; for tests and screenshots.

    Args:
        seconds: how long it may take to answer.
        port: where it listens; by default a free one.
    """
    if port is None:
        with socket.socket() as free:
            free.bind((HERE, 0))
            port = free.getsockname()[1]
    address, deadline = f"http://{HERE}:{port}", time.monotonic() + seconds
    command = [sys.executable, "-m", "binviz_dashboard", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise UserError("the dashboard did not start; run `python -m binviz_dashboard` to see why")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/_stcore/health", timeout=2) as reply:
            return reply.status == 200
    except (URLError, OSError):
        return False
