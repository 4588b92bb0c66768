"""The bundled models and what goes into them; no Streamlit here."""

from __future__ import annotations

from binviz import tasks, zoo
from binviz.evidence.headline import Headline, headline
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


def recorded(name: str) -> Headline | None:
    """The one number that a bundled model's run recorded, beside its chance level; None without a record.

    >>> found = recorded("sst2-minilm.bit-w1a1")
    >>> found.name, found.shown, found.beside
    ('accuracy', '81.8 %', 'chance is 50.9 %')
    """
    run = zoo.describe(name).record
    return run and headline(run)


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
