"""Models on disk: in a folder as transformers has them, or packed in one file, one bit a weight."""

from binviz.saving.folder import load_folder, save
from binviz.saving.packed import load_packed, save_packed

__all__ = ["load_folder", "load_packed", "save", "save_packed"]
