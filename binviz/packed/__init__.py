"""Packed models: layers and encoders that run on bits."""

from binviz.packed.pack import pack

__all__ = ["pack"]
