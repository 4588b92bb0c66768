"""Networks of our own, one a file; all others are transformers'. Each declares its layout and can be saved."""

from binviz.networks.cnn import DigitsCNN, DigitsCNNConfig

__all__ = ["DigitsCNN", "DigitsCNNConfig"]
