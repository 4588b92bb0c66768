"""The bundled models and what goes into them; no Streamlit here."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from binviz import tasks, zoo
from binviz.tasks import Example

#: What pages can show of an example, in the order in which they offer it.
SHOWN = ("text", "picture")


def binary_names() -> list[str]:
    """The bundled 1-bit models that have a float partner and a task that a page can show, texts first."""
    names = zoo.names()
    paired = [name for name in names if not name.endswith(".float") and float_name(name) in names]
    return [name for shows in SHOWN for name in paired if tasks.of_model(name).shows == shows]


def float_name(binary: str) -> str:
    """The float model of the same task and architecture.

    >>> float_name("digits-vit.bit-w1a1")
    'digits-vit.float'
    """
    return binary.split(".")[0] + ".float"


@dataclass(frozen=True)
class Answer:
    """What a model says: probabilities of its classes, and how long it took (warm, the median of three, in ms)."""

    probabilities: tuple[float, ...]
    milliseconds: float


@torch.inference_mode()
def ask(model: torch.nn.Module, example: Example) -> Answer:
    """Run a model on an example."""
    model(**example.inputs)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        logits = model(**example.inputs).logits[0]
        times.append(1000 * (time.perf_counter() - start))
    return Answer(tuple(logits.softmax(-1).tolist()), sorted(times)[1])


def code_of_pair(name: str, example: Example, call: str) -> str:
    """Python that makes `floats` and `binaries`, one from each model of the pair, by `call` of {model}."""
    head = "import torch\n\nimport binviz\nfrom binviz import analysis, plots, zoo\n" + example.imports
    pair = (("floats", float_name(name)), ("binaries", name))
    lines = [f"{variable} = {call.format(model=f'binviz.load({each!r})')}" for variable, each in pair]
    return "\n".join([head, example.code, *lines, ""])


def code_of_answers(name: str, example: Example) -> str:
    """Python that draws both models' answers, the 1-bit one's on bits."""
    pair = code_of_pair(name, example, "{model}(**inputs).logits[0].detach().softmax(-1)")
    pair = pair.replace(f"binviz.load({name!r})", f"binviz.pack(binviz.load({name!r}))")
    return f"{pair}figure = plots.answers({list(tasks.of_model(name).labels)}, floats, binaries)\n"


def size(count: int) -> str:
    """Bytes for reading.

    >>> size(28_302_548), size(55_640)
    ('28.3 MB', '55.6 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def percent(share: float | None) -> str:
    """A recorded share, or that there is no record.

    >>> percent(0.912), percent(None)
    ('91.2 %', 'not recorded')
    """
    return "not recorded" if share is None else f"{100 * share:.1f} %"
