"""binviz: binarized transformers that can be seen, trained and run on bits."""

from binviz.errors import UserError

__all__ = ["UserError"]
