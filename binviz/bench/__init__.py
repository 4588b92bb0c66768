"""Measured speed: `run` is `binviz bench`; its parts, and what else is measured here, stand in a module each."""
