"""Packed models: layers and encoders that run on bits."""

from binviz.packed.fused import why_not_fused
from binviz.packed.pack import pack

__all__ = ["pack", "why_not_fused"]
