"""The bundled models and what goes into them; no Streamlit here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from binviz import zoo
from binviz.data import check, digits
from binviz.errors import UserError

CLASSES = {"sst2": ("negative", "positive"), "digits": digits.CLASSES}
#: Attention maps beyond this many tokens cannot be read.
MAX_TOKENS = 48


def binary_names() -> list[str]:
    """The bundled 1-bit models that have a float partner and a task shown here, texts first."""
    names = zoo.names()
    paired = [name for name in names if not name.endswith(".float") and float_name(name) in names]
    return [name for task in CLASSES for name in paired if name.startswith(f"{task}-")]


def float_name(binary: str) -> str:
    """The float model of the same task and architecture.

    >>> float_name("digits-vit.bit-w1a1")
    'digits-vit.float'
    """
    return binary.split(".")[0] + ".float"


@dataclass(frozen=True)
class Example:
    """One input, ready for a model.

    key: names it in caches. inputs: of the forward call, batch 1. code: Python that makes `inputs`.
    picture: (8, 8) of a digit, or None. truth: the right answer where it is known. tokens: of a text, between
    its first and last mark. cut: how many were left out.
    """

    key: str
    inputs: dict[str, torch.Tensor]
    code: str
    picture: NDArray[np.uint8] | None = None
    truth: str | None = None
    tokens: tuple[str, ...] = ()
    cut: int = 0


def sentence(text: str, name: str, tokenizer: Any, truth: str | None = None) -> Example:
    """A text as tokens for the model of that name.

    Raises:
        UserError: the text is empty or too long.
    """
    text = check.check_text(text)
    inputs = dict(tokenizer([text], return_tensors="pt", truncation=True, max_length=MAX_TOKENS))
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    whole = len(tokenizer([text])["input_ids"][0])
    code = (
        f"tokenizer = zoo.load_tokenizer({name!r})\n"
        f"inputs = tokenizer([{text!r}], return_tensors='pt', truncation=True, max_length={MAX_TOKENS})\n"
    )
    return Example(text, inputs, code, None, truth, tuple(tokens[1:-1]), whole - len(tokens))


def digit(index: int) -> Example:
    """A picture of the test set, by its number.

    Raises:
        UserError: there is no picture of that number.

    >>> digit(0).truth
    '1'
    """
    pictures, labels = digits.raw("test")
    if not 0 <= index < len(pictures):
        raise UserError(f"no picture has the number {index}; choose one from 0 to {len(pictures) - 1}")
    pixels = torch.from_numpy(digits.normalise(pictures[index : index + 1]))
    code = (
        "images, labels = digits.load('test')\n"
        f"inputs = {{'pixel_values': torch.from_numpy(images[{index} : {index + 1}])}}\n"
    )
    return Example(f"digit {index}", {"pixel_values": pixels}, code, pictures[index], str(labels[index]))


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
    head = "import torch\n\nimport binviz\nfrom binviz import analysis, plots, zoo\nfrom binviz.data import digits\n"
    if example.picture is None:
        head = "import torch\n\nimport binviz\nfrom binviz import analysis, plots, zoo\n"
    pair = (("floats", float_name(name)), ("binaries", name))
    lines = [f"{variable} = {call.format(model=f'binviz.load({each!r})')}" for variable, each in pair]
    return "\n".join([head, example.code, *lines, ""])


def code_of_answers(name: str, example: Example) -> str:
    """Python that draws both models' answers, the 1-bit one's on bits."""
    pair = code_of_pair(name, example, "{model}(**inputs).logits[0].detach().softmax(-1)")
    pair = pair.replace(f"binviz.load({name!r})", f"binviz.pack(binviz.load({name!r}))")
    return f"{pair}figure = plots.answers({list(CLASSES[zoo.describe(name).task])}, floats, binaries)\n"


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
