"""The tiny models of `tests/convert/models.py`."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models():
    spec = spec_from_file_location("tiny_models", Path(__file__).parent / "convert" / "models.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
