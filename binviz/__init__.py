"""binviz: binarized transformers that can be seen, trained and run on bits."""

from binviz.errors import UserError
from binviz.saving import save

__all__ = ["UserError", "save"]
