"""A binarizer of your own as a row of an experiment: from `my.py:MyBinarizer` to a recipe.

**It runs the code of the file that is named**, as importing it does, and nothing else is done before
`check_binarizer` has passed it, as a binarizer of weights and of inputs.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType

from binviz import binarizers, recipes
from binviz.binarizers import Binarizer
from binviz.errors import UserError, near
from binviz.experiments import bibench, registry
from binviz.experiments.cells import Experiment
from binviz.recipes import Choice, Recipe

#: What of a network -> the axes of its channels there.
ROLES = {"weights": (0,), "inputs": (-1, 1)}


def load(operator: str) -> type[Binarizer]:
    """The class of that name, by importing its module.

    Args:
        operator: "module:Class", of a module in the current folder or an installed one; or "folder/file.py:Class".

    Raises:
        UserError: no such module or class, one that cannot be imported, or no binarizer.

    >>> load("binviz.binarizers.bnn:BNN").__name__
    'BNN'
    """
    place, _, name = operator.rpartition(":")
    if not place or not name:
        raise UserError(f"{operator!r} names no class; say my.py:MyBinarizer, or module:MyBinarizer")
    module = _module(place)
    known = [key for key, value in vars(module).items() if _is_binarizer(value) and value is not Binarizer]
    if not hasattr(module, name):
        raise UserError(f"{place} has no {name}; {near(name, known)}")
    if not _is_binarizer(cls := getattr(module, name)):
        raise UserError(f"{name} of {place} is no binarizer; derive it from binviz.binarizers.Binarizer")
    return cls


def _is_binarizer(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Binarizer)


def _module(place: str) -> ModuleType:
    """The module, imported with its folder first on the path.

    Raises:
        UserError: it is not there, or is no Python.
    """
    file = Path(place).resolve() if place.endswith(".py") else None
    if file and not file.is_file():
        raise UserError(f"there is no file {place}; say where your binarizer is, such as my.py:MyBinarizer")
    folder, name = (str(file.parent), file.stem) if file else (str(Path.cwd()), place)
    sys.path.insert(0, folder)
    try:
        importlib.invalidate_caches()
        module = importlib.import_module(name)
    except (ImportError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot import {place}: {error}; is it in this folder?") from error
    finally:
        sys.path.remove(folder)
    if file and Path(str(module.__file__)).resolve() != file:
        raise UserError(f"another module is called {name}; give {place} a name of its own")
    return module


def check(cls: type[Binarizer]) -> None:
    """`check_binarizer` of a class as it is used: for weights, and for inputs of layers and of convolutions.

    Raises:
        UserError: what fails, in a line.

    >>> check(load("binviz.binarizers.bnn:BNN"))
    """
    for role, axes in ROLES.items():
        for axis in axes:
            try:
                binarizers.check_binarizer(cls, channel_axis=axis)
            except Exception as error:
                kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}, "
                raise UserError(f"{cls.__name__} cannot binarize {role}: {kind}{error}") from error


def recipe_of(cls: type[Binarizer]) -> Recipe:
    """BiBench's recipe with a class that passes `check` for weights and inputs.

    It is registered under its own name if it has none. The recipe's name ends in a digest of the class's file, so that
    a run of another version of it is another run.

    Raises:
        UserError: a check fails, or another binarizer is called so.

    >>> recipe_of(load("binviz.binarizers.bnn:BNN")).weight
    Choice(binarizer='bnn', options={})
    """
    check(cls)
    source = Path(str(sys.modules[cls.__module__].__file__)).read_bytes()
    known = [name for name in binarizers.names() if type(binarizers.get(name)) is cls]
    if not known:
        binarizers.register(cls.__name__)(cls)
    choice = Choice((known or [cls.__name__])[0])
    return recipes.get("bnn").but(
        f"{cls.__name__}-{hashlib.sha256(source).hexdigest()[:8]}", weight=choice, activation=choice
    )


def with_row(experiment: str, operator: str) -> Experiment:
    """The matrix of an operator of yours, beside the rows of an experiment.

    Args:
        experiment: "bibench".
        operator: see `load`.

    Raises:
        UserError: another experiment, no such class, or one that fails a check.

    >>> with_row("bibench", "binviz.binarizers.bnn:BNN").cells[-1].name
    'cifar10-resnet.BNN'
    """
    if registry.get(experiment) is not bibench.EXPERIMENT:
        raise UserError(
            "only bibench has a row for a binarizer of yours; say: binviz reproduce bibench --operator ..."
        )
    cls = load(operator)
    return bibench.with_operator(recipe_of(cls), cls.__name__)
