"""Work that takes seconds or minutes: beside the page, with progress, a way to stop it, and a time that it may take.

A job survives that its visitor changes something or looks at another page, and stops when the visitor has gone. One
runs at a time, so that two visitors do not measure each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from binviz.errors import UserError
from binviz_dashboard import state

#: tell(share, text): what a job calls now and then; it raises `Stopped` when the job is to end.
Tell = Callable[[float, str], None]
#: Seconds between two looks at a job.
OFTEN = 0.4

#: What a job says that was stopped by its visitor.
STOPPED = "stopped"

_turn = Lock()


class Stopped(Exception):
    """Raised inside a job that is to end."""


@dataclass
class Job:
    """One piece of work.

    question: what it answers, so that a page can say that an older answer is to another question.
    ceiling: seconds that it may take.
    """

    question: Any
    work: Callable[[Tell], Any]
    ceiling: float
    wanted: Callable[[], bool] = lambda: True
    share: float = 0.0
    text: str = "Waiting for its turn"
    answer: Any = None
    error: str | None = None
    stop: Event = field(default_factory=Event)
    done: Event = field(default_factory=Event)
    began: float = 0.0

    def run(self) -> None:
        """To the end, in this thread."""
        try:
            while not _turn.acquire(timeout=OFTEN):
                self._look()
            try:
                self.began = time.monotonic()
                self.answer = self.work(self.tell)
            finally:
                _turn.release()
        except Stopped:
            self.error = self.error or STOPPED
        except UserError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"this went wrong: {type(error).__name__}"
            raise
        finally:
            self.done.set()

    def tell(self, share: float, text: str) -> None:
        """Note how far the work is.

        Raises:
            Stopped: it is to end: the visitor says so or has gone, or its time is over.
        """
        self.share, self.text = min(max(share, 0.0), 1.0), text
        if time.monotonic() - self.began > self.ceiling:
            self.error = f"stopped after {self.ceiling:.0f} seconds, the most that this may take here"
            raise Stopped
        self._look()

    def _look(self) -> None:
        if self.stop.is_set() or not self.wanted():
            raise Stopped


def offer(label: str, key: str, question: Any, work: Callable[[Tell], Any], ceiling: float) -> Job | None:
    """A button that starts the work, then its progress; returns the last job that came to an answer.

    Args:
        label: of the button.
        key: of the button; no other job of the dashboard has it.
        question: what the page asks now. The job returned may answer an older one: compare its `question`.
        work: gets `tell`, and returns the answer; a UserError becomes one line.
        ceiling: seconds that it may take.
    """
    mine: dict[str, Job] = state.visit().jobs
    key = state.own(key)
    last = mine.get(f"{key} last")
    if last is None or last.done.is_set():
        if last is not None and last.error is None:
            mine[key] = last
        elif last is not None and last.error != STOPPED:
            st.error(state.plain(state.sentence(last.error)), icon=":material/error:")
        if st.button(label, key=key):
            mine[f"{key} last"] = last = Job(question, work, ceiling, _here())
            Thread(target=last.run, daemon=True, name=f"binviz {key}").start()
            st.rerun()
    else:
        _progress(last, key)
    return mine.get(key)


@st.fragment(run_every=OFTEN)
def _progress(job: Job, key: str) -> None:
    if job.done.is_set():
        st.rerun()
    bar, button = st.columns([5, 1], vertical_alignment="center")
    bar.progress(job.share, job.text)
    if button.button("Stop", key=f"stop {key}"):
        job.stop.set()


def _here() -> Callable[[], bool]:
    """Whether the visitor of this run is still there."""
    context = get_script_run_ctx()
    if context is None or not Runtime.exists():
        return lambda: True
    session, runtime = context.session_id, Runtime.instance()
    return lambda: runtime.is_active_session(session)
