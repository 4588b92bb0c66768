"""Packed models: one bit a weight, in one safetensors file."""

from binviz.packed.file import load_packed, save_packed

__all__ = ["load_packed", "save_packed"]
