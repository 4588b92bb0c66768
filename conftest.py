"""What every test and docstring's example stands on: no network, one torch thread, and the same random numbers.

The same ones in any order, alone or together, and on any number of workers: so a test that fails once fails again.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import pytest
import torch
from hypothesis import settings

# Tiny tensors gain nothing from more, and a second thread waits where the machine is busy.
torch.set_num_threads(1)

# The same examples in every run, and as much time for each as a slow machine needs.
settings.register_profile("the same everywhere", deadline=None, derandomize=True, database=None)
settings.load_profile("the same everywhere")


@pytest.fixture(autouse=True)
def seed():
    """Before every test, whoever runs it and whatever ran before it."""
    torch.manual_seed(0)
