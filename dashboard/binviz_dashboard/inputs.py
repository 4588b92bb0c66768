"""The widgets with which every page asks for a subject and an input."""

from __future__ import annotations

from collections.abc import Mapping

from binviz import tasks
from binviz.data import sentences
from binviz.errors import UserError
from binviz.tasks import Example, text
from binviz_dashboard import cache, own, state, subject
from binviz_dashboard.subject import Subject

OWN = "Write my own"
FIRST_TEXT = "Not once did I look at my watch."
#: Characters of a visitor's own text; the link holds all of them.
LONGEST_TEXT = 2000


def for_subject(among: Mapping[str, Subject] | None = None) -> Subject:
    """A 1-bit model with its teacher.

    Args:
        among: offer these; None for all.

    Raises:
        UserError: none are bundled.
    """
    known = subject.subjects() if among is None else among
    if not known:
        raise UserError("this installation holds no models; install binviz again")
    words = {name: each.title for name, each in known.items()}
    return known[state.choose("Model", list(known), "model", words=words)]


def for_example(of: Subject) -> Example:
    """An input for that subject, of the kind that its task shows."""
    return {"text": _text, "picture": _picture}[of.task.shows](of.task, of.name)


def chosen(of: Subject) -> int:
    """The number of the example that is shown; -1 where the visitor wrote it."""
    shown = state.visit().shown
    if of.task.shows == "picture":
        return int(shown.get("digit", -1))
    texts = [sentence.text for sentence in sentences.load()]
    return texts.index(shown["sentence"]) if shown["sentence"] in texts else -1


def show(of: Subject, number: int) -> None:
    """From a callback: show the example of that number."""
    if of.task.shows == "picture":
        state.put("pictures", own.BUNDLED)
        state.put("digit", number)
    else:
        state.put("sentence", sentences.load()[number].text)


def _picture(task: tasks.Task, name: str) -> Example:
    """One of the bundled pictures, by its number, or the visitor's own."""
    source = state.choose("Pictures", own.SOURCES, "pictures") if task.pictures else own.BUNDLED
    if source != own.BUNDLED:
        return own.picture(task, source)
    last = task.example_count() - 1
    return task.example(state.number("Picture", 0, last, 0, "digit"), name, None)


def _text(task: tasks.Task, name: str) -> Example:
    """One of our sentences, or the visitor's own."""
    ours = {sentence.text: index for index, sentence in enumerate(sentences.load())}
    state.imply("text", "sentence", OWN)
    chosen, tokenizer = state.choose("Sentence", [*ours, OWN], "sentence"), cache.tokenizer(name)
    if chosen == OWN:
        return text.sentence(state.write("Text", "text", FIRST_TEXT, LONGEST_TEXT), name, tokenizer)
    return task.example(ours[chosen], name, tokenizer)
