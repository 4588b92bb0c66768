"""What every test stands on: no network, one torch thread, and the tiny models of `tests/convert/models.py`."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

# Tiny tensors gain nothing from more, and a second thread waits where the machine is busy.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models():
    spec = spec_from_file_location("tiny_models", Path(__file__).parent / "convert" / "models.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
