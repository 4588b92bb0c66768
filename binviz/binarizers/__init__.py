"""Binarizers: one idea, one file. `get(name)` makes one, `names()` lists them, `register` adds yours."""

from binviz.binarizers import bibert as bibert
from binviz.binarizers import bidense as bidense
from binviz.binarizers import binary_connect as binary_connect
from binviz.binarizers import binarydm as binarydm
from binviz.binarizers import bireal as bireal
from binviz.binarizers import bit as bit
from binviz.binarizers import bivit as bivit
from binviz.binarizers import bnn as bnn
from binviz.binarizers import dorefa as dorefa
from binviz.binarizers import elastic as elastic
from binviz.binarizers import elastic_ternary as elastic_ternary
from binviz.binarizers import fda as fda
from binviz.binarizers import fdb as fdb
from binviz.binarizers import irnet as irnet
from binviz.binarizers import planes as planes
from binviz.binarizers import rbonn as rbonn
from binviz.binarizers import reactnet as reactnet
from binviz.binarizers import recu as recu
from binviz.binarizers import row_threshold as row_threshold
from binviz.binarizers import stored as stored
from binviz.binarizers import ternary as ternary
from binviz.binarizers import xnor as xnor
from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.conformance import ConformanceError, check_binarizer
from binviz.binarizers.groups import InGroups
from binviz.binarizers.least import least_error
from binviz.binarizers.options import Described, Option, described
from binviz.binarizers.registry import get, names, register
from binviz.binarizers.start import unstarted

__all__ = [
    "Binarizer",
    "Code",
    "ConformanceError",
    "Cut",
    "Described",
    "InGroups",
    "Option",
    "check_binarizer",
    "described",
    "get",
    "least_error",
    "names",
    "register",
    "sign",
    "unstarted",
    "with_surrogate",
]
