"""What every test stands on: no network, and one torch thread."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import torch

torch.set_num_threads(1)
