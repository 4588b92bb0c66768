"""binviz: binarized transformers that can be seen, trained and run on bits.

model = binviz.load("sst2-minilm.float")           # a bundled model, or a folder that `save` wrote
table = binviz.binarize_(model, "bit-w1a1")        # encoders, decoders, convolutional networks
fast = binviz.pack(model)                          # the same call on bits
seen = binviz.capture(model, inputs)               # every activation by name
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from binviz.errors import UserError

if TYPE_CHECKING:
    from binviz.analysis.capture import capture as capture
    from binviz.binarizers import check_binarizer as check_binarizer
    from binviz.convert import binarize_ as binarize_
    from binviz.packed.pack import pack as pack
    from binviz.saving import load_packed as load_packed
    from binviz.saving import save as save
    from binviz.saving import save_packed as save_packed
    from binviz.zoo import load as load
    from binviz.zoo import load_tokenizer as load_tokenizer

#: Public name -> the module that holds it; imported at first use, so that `import binviz` stays quick.
_HOME = {
    "binarize_": "convert",
    "capture": "analysis",
    "check_binarizer": "binarizers",
    "load": "zoo",
    "load_packed": "saving",
    "load_tokenizer": "zoo",
    "pack": "packed",
    "save": "saving",
    "save_packed": "saving",
}
_MODULES = ("analysis", "binarizers", "costs", "data", "evidence", "plots", "recipes", "zoo")

__all__ = ["UserError", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"binviz.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"binviz.{name}")
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("binviz")
        except PackageNotFoundError:  # a source tree that is not installed
            return "unknown"
    raise AttributeError(f"module 'binviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
