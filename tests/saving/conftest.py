"""The tiny models of `tests/convert/models.py`, and one torch thread."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def models():
    spec = spec_from_file_location("tiny_models", Path(__file__).parents[1] / "convert" / "models.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Tiny tensors gain nothing from more, and a second thread waits where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
