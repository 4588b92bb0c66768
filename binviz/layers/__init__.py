"""Layers that multiply codes: linear, convolution, embedding, and (in `layers.attention`) attention."""

from binviz.layers.base import BinaryLayer, BinaryProduct
from binviz.layers.conv import BinaryConv2d
from binviz.layers.embedding import BinaryEmbedding
from binviz.layers.linear import BinaryLinear

__all__ = ["BinaryConv2d", "BinaryEmbedding", "BinaryLayer", "BinaryLinear", "BinaryProduct"]
