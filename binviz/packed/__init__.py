"""Packed models: run on bits (`pack`), and stored as bits in one safetensors file."""

from binviz.packed.file import load_packed, save_packed
from binviz.packed.pack import pack

__all__ = ["load_packed", "pack", "save_packed"]
