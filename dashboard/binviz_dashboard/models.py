"""What the bundled models say of themselves, for reading; no Streamlit here."""

from __future__ import annotations

from binviz import zoo
from binviz.evidence.headline import Headline, headline
from binviz.tasks import Example
from binviz_dashboard.subject import Subject


def recorded(name: str) -> Headline | None:
    """The one number that a bundled model's run recorded, beside its chance level; None without a record.

    >>> found = recorded("sst2-minilm.bit-w1a1")
    >>> found.name, found.shown, found.beside
    ('accuracy', '81.8 %', 'chance is 50.9 %')
    """
    run = zoo.describe(name).record
    return headline(run) if run else None


def code_of_answers(subject: Subject, example: Example) -> str:
    """Python that draws both models' answers, the 1-bit one's on bits."""
    name = subject.name
    pair = subject.code(example, "{model}(**inputs).logits[0].detach().softmax(-1)")
    pair = pair.replace(f"binviz.load({name!r})", f"binviz.pack(binviz.load({name!r}))")
    return f"{pair}figure = plots.answers({list(subject.task.labels)}, floats, binaries)\n"


def size(count: int) -> str:
    """Bytes for reading.

    >>> size(28_302_548), size(55_640)
    ('28.3 MB', '55.6 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
