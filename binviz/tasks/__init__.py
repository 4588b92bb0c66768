"""Tasks by name: what a network is trained and judged on.

>>> from binviz import tasks
>>> tasks.get("sst2").labels
('negative', 'positive')
"""

from binviz.tasks import (
    boundaries,
    camvid,
    causal,
    diffusion,
    digits,
    glue,
    language,
    pictures,
    points,
    scene_text,
    speech,
    tumours,
    words,
)
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
    "boundaries",
    "camvid",
    "causal",
    "diffusion",
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
    "tumours",
    "words",
]
