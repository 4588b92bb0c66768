"""What every test stands on: no network, and one torch thread in each of pytest-xdist's workers."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import torch

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)
