"""Experiments: one paper, one file, with its cells and its claims. `binviz reproduce NAME` runs one."""
