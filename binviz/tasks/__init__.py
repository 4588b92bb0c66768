"""Tasks by name: what a network is trained and judged on.

>>> from binviz import tasks
>>> tasks.get("sst2").labels
('negative', 'positive')
"""

from binviz.tasks import causal, digits, glue, language, pictures, points, scene_text, speech, words
from binviz.tasks.task import (
    Example,
    HeldOut,
    Judged,
    Kind,
    PictureKind,
    Problem,
    Task,
    get,
    names,
    of_model,
    register,
)

__all__ = [
    "Example",
    "HeldOut",
    "Judged",
    "Kind",
    "PictureKind",
    "Problem",
    "Task",
    "causal",
    "digits",
    "get",
    "glue",
    "language",
    "names",
    "of_model",
    "pictures",
    "points",
    "register",
    "scene_text",
    "speech",
    "words",
]
