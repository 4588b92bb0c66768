"""What a page is about: a 1-bit model, its teacher, their task, where they come from, and the code that makes them.

No Streamlit here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import names
from binviz.tasks import Example, Task

#: What pages can show of an example, in the order in which they offer it.
SHOWN = ("text", "picture")
#: Architectures with attention.
ATTENDING = ("minilm", "vit", "swin")


@dataclass(frozen=True)
class Subject:
    """A pair of models; `binary` and `teacher` are their entries in the zoo."""

    binary: zoo.Entry
    teacher: zoo.Entry

    @property
    def name(self) -> str:
        """Of the 1-bit model."""
        return self.binary.name

    @property
    def pair(self) -> tuple[str, str]:
        """Names of the teacher and of the 1-bit model."""
        return self.teacher.name, self.binary.name

    @cached_property
    def task(self) -> Task:
        """What both were trained for."""
        return tasks.get(self.binary.task)

    @property
    def attends(self) -> bool:
        """Whether it has attention, and linear layers of 1 bit around it."""
        return self.binary.arch.partition("-")[0] in ATTENDING

    @property
    def title(self) -> str:
        """For a person.

        >>> of("digits-vit.bit-w1a1").title
        'digits, ViT: BiT'
        """
        entry = self.binary
        task = names.TASKS.get(entry.task, entry.task)
        return f"{task}, {names.ARCHITECTURES.get(entry.arch, entry.arch)}: {names.method(entry.recipe)}"

    def code(self, example: Example, call: str) -> str:
        """Python that makes `floats` and `binaries`, one from each model of the pair, by `call` of {model}."""
        head = "import torch\n\nimport binviz\nfrom binviz import analysis, plots, zoo\n" + example.imports
        pair = zip(("floats", "binaries"), self.pair, strict=True)
        lines = [f"{variable} = {call.format(model=f'binviz.load({name!r})')}" for variable, name in pair]
        return "\n".join([head, example.code, *lines, ""])


def subjects(attending: bool = False) -> dict[str, Subject]:
    """Name of each bundled 1-bit model that has a teacher and a task that a page can show -> it; texts first.

    Args:
        attending: only those that `Subject.attends` says yes of.

    >>> len(subjects()), len(subjects(attending=True))
    (18, 11)
    """
    entries = [zoo.describe(name) for name in zoo.names()]
    teachers = {(entry.task, entry.arch): entry for entry in entries if entry.recipe == "float"}
    found = [
        Subject(entry, teachers[entry.task, entry.arch])
        for entry in entries
        if entry.recipe != "float" and (entry.task, entry.arch) in teachers
    ]
    ordered = [each for shows in SHOWN for each in found if each.task.shows == shows]
    return {each.name: each for each in ordered if each.attends or not attending}


def of(name: str) -> Subject:
    """The subject of that 1-bit model.

    Raises:
        UserError: there is none.
    """
    known = subjects()
    if name not in known:
        raise UserError(
            "this installation holds no models; install binviz again" if not known else f"no subject {name}"
        )
    return known[name]
