"""Measured speed. Each module is a program: `python -m binviz.bench.kernels` is what `make bench` runs."""
