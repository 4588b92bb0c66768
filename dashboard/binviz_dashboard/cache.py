"""Everything that outlives one run of a page: the only place with st.cache_*.

What is kept here is shared by all sessions and never changed, so it is handed out as it is, without the copy
(and the pickling) of `st.cache_data`.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple

import binviz_kernels
import numpy as np
import pandas as pd
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import nn

from binviz import analysis, plots, tasks, zoo
from binviz.bench import records, tradeoffs
from binviz.bench.tradeoffs import Axis, Row
from binviz.binarizers.curve import curve
from binviz.costs import Costs
from binviz.evidence import names
from binviz.evidence.leaderboard import Column
from binviz.experiments import generated, ledger
from binviz.experiments import questions as asked
from binviz.experiments.ledger import Entry
from binviz.experiments.questions import Question
from binviz.packed import pack
from binviz.playground import latent
from binviz.plots import thumbnail as small
from binviz.tasks import Example
from binviz.tasks.corrupted import kind_of, raw_of
from binviz.zoo import outside as outsiders
from binviz_dashboard import (
    answers,
    attributed,
    bits_away,
    denoise,
    filled,
    found_text,
    lab,
    left_out,
    looks,
    priced,
    product,
    recorded,
    robust,
    signs,
    subject,
    tracks,
    yours,
)

# The networks are small, and several sessions may ask at once: threads would only wait for each other.
binviz_kernels.set_threads(1)
torch.set_num_threads(1)

#: Folder of a user's own records, which are shown beside the shipped ones.
OWN: Path | None = None
#: How much longer than its work `count_ahead` rests.
REST = 2.0


class Shared(NamedTuple):
    """A model, and the lock to hold while it runs: sessions share both."""

    model: nn.Module
    lock: Lock


@st.cache_resource(max_entries=4, show_spinner="Loading the model")
def model(name: str) -> Shared:
    """A bundled model."""
    return Shared(zoo.load(name), Lock())


@st.cache_resource(max_entries=4, show_spinner="Packing the model")
def packed(name: str) -> Shared:
    """A bundled 1-bit model that runs on bits."""
    return Shared(pack(model(name).model), Lock())


@st.cache_resource(max_entries=4, show_spinner=False)
def tokenizer(name: str) -> Any:
    """A bundled model's tokenizer; None where it reads no text."""
    return tasks.of_model(name).tokenizer(name)


@st.cache_resource(max_entries=256, show_spinner=False)
def answer(name: str, key: str, _example: Example) -> tuple[float, ...]:
    """Probabilities that a model gives to an example, a 1-bit one on bits; `key` stands for the example."""
    shared = packed(name) if name in subject.subjects() else model(name)
    with shared.lock:
        return answers.ask(shared.model, _example)


@st.cache_resource(max_entries=256, show_spinner=False)
def fill(name: str, text: str) -> filled.Live:
    """What a 1-bit model, on bits, puts into the gap of a text."""
    shared = packed(name)
    with shared.lock:
        return filled.ask(shared.model, tokenizer(name), text)


@st.cache_resource(max_entries=32, show_spinner="Step by step out of the noise")
def denoised(name: str, seed: int, steps: int) -> denoise.Way:
    """What a bundled network makes of the noise of a seed, in so many steps."""
    shared, of = model(name), generated.KNOWN[zoo.describe(name).task]
    with shared.lock:
        return denoise.follow(shared.model, of, seed, steps)


@st.cache_resource(max_entries=64, show_spinner=False)
def detected(name: str, key: str, _picture: NDArray[np.uint8]) -> found_text.Maps:
    """The maps of a detector of text for a picture; `key` names the picture."""
    shared = model(name)
    with shared.lock:
        return found_text.look(shared.model, _picture)


@st.cache_resource(max_entries=16, show_spinner="All examples to both models")
def compared(name: str) -> answers.Compared:
    """What a 1-bit model, on bits, and its float partner say to all the examples of their task."""
    of = subject.of(name)
    floats, bits, task = model(of.teacher.name), packed(name), of.task
    examples = answers.every_example(task, name, tokenizer(name))
    with floats.lock, bits.lock:
        return answers.compare(floats.model, bits.model, examples, task.labels)


@st.cache_resource(max_entries=8, show_spinner=False)
def captured(name: str, key: str, _example: Example) -> analysis.Captured:
    """Everything inside a model as it reads an example, as arrays."""
    shared = model(name)
    with shared.lock:
        return analysis.capture(shared.model, _example.inputs)


@st.cache_resource(max_entries=32, show_spinner="Every head in four terms")
def polynomials(name: str, key: str, _example: Example) -> list[list[analysis.Polynomials]]:
    """What a model's codes leave out of each layer's and head's scores and context."""
    seen, shared = captured(name, key, _example), model(name)
    with shared.lock:
        return left_out.every_head(shared.model, seen)


@st.cache_resource(max_entries=8, show_spinner="Signs of both models")
def changed_signs(name: str) -> pd.DataFrame:
    """Which signs of a 1-bit model are no longer those of its float partner."""
    of = subject.of(name)
    return signs.changed(of, *(model(each).model for each in of.pair))


@st.cache_resource(max_entries=4, show_spinner=False)
def sign_questions(name: str) -> signs.Asked:
    """All examples of a model's task whose answer is known, as one batch."""
    return signs.asked(subject.of(name), tokenizer(name))


@st.cache_resource(max_entries=4, show_spinner="Packing the model")
def open_bits(name: str) -> Shared:
    """A bundled 1-bit model that runs layer by layer on bits, which `flipped` changes for a while."""
    return Shared(pack(model(name).model, fused=False), Lock())


@st.cache_resource(max_entries=256, show_spinner="All examples, with signs flipped")
def with_flips(name: str, paths: tuple[str, ...], percent: int) -> signs.Flipped:
    """What a 1-bit model has right with so many of the signs of some layers, or all, flipped."""
    shared, questions = open_bits(name), sign_questions(name)
    with shared.lock:
        return signs.flip(shared.model, questions, percent / 100, list(paths) or None)


@st.cache_resource(max_entries=32, show_spinner=False)
def attention(name: str, key: str, _example: Example, beta: float | None = None) -> analysis.Attention:
    """All attention maps of a model as it reads an example, BiViT's with a threshold of its own where one is given."""
    shared = model(name)
    with shared.lock:
        asked = shared.model if beta is None else looks.with_beta(shared.model, beta)
        return analysis.attention(asked, _example.inputs, tokenizer(name))


@st.cache_resource(max_entries=64, show_spinner=False)
def answer_at(name: str, key: str, beta: float, _example: Example) -> tuple[float, ...]:
    """Probabilities that a model gives with such a threshold of BiViT's attention."""
    shared = model(name)
    with shared.lock:
        return answers.ask(looks.with_beta(shared.model, beta), _example)


@st.cache_resource(max_entries=64, show_spinner=False)
def followed(name: str, key: str, severity: int, number: int, _example: Example) -> list[robust.Followed]:
    """An input under all corruptions, with the answers of a 1-bit model and its float partner."""
    of, number = subject.of(name), max(number, 0)
    kind, (floats, bits) = kind_of(of.task), map(model, of.pair)
    raw, (left, right) = raw_of(_example, number, kind), map(tokenizer, of.pair)
    with floats.lock, bits.lock:
        return robust.follow(raw, number, severity, kind, (floats.model, bits.model), (left, right))


@st.cache_resource(show_spinner=False)
def measured_robustness() -> dict[str, robust.Pair]:
    """1-bit model -> what this machine measured of it and its partner; jobs write into it."""
    return {}


@st.cache_resource(max_entries=32, show_spinner="Three passes through the networks")
def errors(name: str, key: str, _example: Example) -> pd.DataFrame:
    """The table of errors of a 1-bit model against its float partner."""
    floats, binaries = map(model, subject.of(name).pair)
    with floats.lock, binaries.lock:
        return analysis.errors(floats.model, binaries.model, _example.inputs)


@st.cache_resource(max_entries=32, show_spinner="Five passes through each layer")
def causes(name: str, key: str, _example: Example) -> pd.DataFrame:
    """The table of errors of a 1-bit model's layers, by cause."""
    floats, binaries = map(model, subject.of(name).pair)
    with floats.lock, binaries.lock:
        return analysis.causes(floats.model, binaries.model, _example.inputs)


@st.cache_resource(max_entries=64, show_spinner="Gradients, and the model without each part")
def attribution(
    name: str, key: str, ground: str, asked: attributed.Asked, _example: Example, _reference: torch.Tensor
) -> analysis.Attribution:
    """What each part of an example adds to an answer of a model, taken away on that ground."""
    shared = model(name)
    with shared.lock:
        return attributed.attribute(shared.model, _example, _reference, asked)


@st.cache_resource(max_entries=64, show_spinner="Counting bits")
def away(name: str, key: str, _example: Example) -> bits_away.Away:
    """How many bits of its last binary layer a model's answer to an example is away from the others."""
    shared = model(name)
    with shared.lock:
        return bits_away.measure(shared.model, _example)


@st.cache_resource(max_entries=64, show_spinner=False)
def drawn(name: str, centre: float, spread: float, seed: int) -> NDArray[np.float32]:
    """Random rows for the lab."""
    return lab.draw(name, centre, spread, seed)


@st.cache_resource(max_entries=256, show_spinner=False)
def measured(chosen: lab.Lab, name_of_x: str, _x: NDArray[np.float32]) -> lab.Measured:
    """The lab's numbers; `name_of_x` stands for the tensor."""
    return lab.measure(chosen, _x)


@st.cache_resource(max_entries=64, show_spinner=False)
def places(name: str) -> dict[str, product.Place]:
    """The 1-bit linear layers of a model, by name."""
    return product.places(model(name).model)


@st.cache_resource(max_entries=64, show_spinner=False)
def seen_at(name: str, key: str, place: product.Place, _example: Example) -> analysis.Captured:
    """What goes into a 1-bit linear layer and what comes out, as the model reads an example."""
    shared = model(name)
    with shared.lock:
        return analysis.capture(shared.model, _example.inputs, [*place.inputs, place.path])


@st.cache_resource(max_entries=64, show_spinner=False)
def costs(name: str, recipe: str, tokens: int) -> Costs:
    """Costs of a bundled model, whose recipe is its own, or of an architecture under a recipe."""
    if name in priced.CONFIGURATIONS:
        return priced.untrained(name, recipe, tokens)
    return priced.bundled(model(name).model, tokens)


@st.cache_resource(max_entries=16, ttl=3600, show_spinner="Looking at the model")
def outside(source: str, folders: bool) -> outsiders.Found:
    """A model of the visitor's, before its weights are read."""
    return outsiders.look(source, folders=folders)


@st.cache_resource(max_entries=16, ttl=3600, show_spinner="Converting a skeleton")
def planned(source: str, folders: bool, recipe: str, tokens: int) -> yours.Planned:
    """What a recipe would make of it."""
    return yours.plan(outside(source, folders), recipe, tokens)


@st.cache_resource(show_spinner="Reading the records")
def questions() -> list[Question]:
    """All questions that recorded runs answer."""
    return asked.questions(OWN)


@st.cache_resource(show_spinner=False)
def claims() -> list[Entry]:
    """The ledger of all claims."""
    return ledger.ledger(questions())


@st.cache_resource(show_spinner="Reading the records")
def matrix() -> tracks.Matrix:
    """The matrix of `bibench`."""
    return tracks.read(OWN)


@st.cache_resource(max_entries=256, show_spinner="Counting operations and bytes")
def theory(row: str, columns: tuple[Column, ...]) -> float | None:
    """BiBench's count of what an operator saves on some networks."""
    return tracks.theory(row, columns)


@st.cache_resource(show_spinner=False)
def thumbnail(binarizer: str) -> str:
    """The curves of a binarizer as it starts, as the text of an SVG file."""
    return small.thumbnail(binarizer, *curve(binarizer))


@st.cache_resource(show_spinner=False)
def networks() -> list[Row]:
    """Everything that was published or recorded of a network's accuracy."""
    return tradeoffs.rows()


def count_ahead(stop: Event) -> None:
    """Count every network of `networks`, with rests in which visitors have their turn; `paid` finds it done.

    Args:
        stop: set when nobody needs them any more.
    """
    for row in networks():
        if row.counted is not None:
            began = time.thread_time()
            tradeoffs.count(*row.counted)
            if stop.wait(REST * (time.thread_time() - began)):
                return


@st.cache_resource(max_entries=128, show_spinner="Counting operations and bytes")
def paid(task: str, axis: Axis, how: str) -> tuple[list[plots.Tradeoff], list[Row]]:
    """Accuracy and cost of the networks of a task, or of all as a share of the float one's where `task` is "".

    `how` is a rule of counting, or names a machine's record of times.
    """
    found = [row for row in networks() if task in ("", row.task)]
    record = records.shipped()[how] if axis == "time" else None
    return tradeoffs.points(found, axis, how, record, share=not task)


@st.cache_resource(show_spinner=False)
def run_names() -> dict[str, str]:
    """Key of each run that is on record -> its name among all of them."""
    found = {recorded.key(run): run for each in questions() for run in each.runs}
    return dict(zip(found, names.short(list(found.values())), strict=True))


@st.cache_resource(max_entries=64, show_spinner="A few seconds of training")
def trained(settings: latent.Settings) -> list[latent.Snapshot]:
    """Snapshots of a live net, from before the first step to the last."""
    return list(latent.train(settings))
