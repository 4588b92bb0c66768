"""Binarizers: one idea, one file. `get(name)` makes one, `names()` lists them, `register` adds yours."""

from binviz.binarizers import bnn as bnn
from binviz.binarizers.base import Binarizer, Code, sign, with_surrogate
from binviz.binarizers.registry import get, names, register

__all__ = ["Binarizer", "Code", "get", "names", "register", "sign", "with_surrogate"]
