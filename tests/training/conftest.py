"""One torch thread: tiny tensors gain nothing from more, and a second one waits where the machine is busy."""

import os
import subprocess
import sys

import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def launch():
    """`accelerate launch` of two processes on this machine's CPU, as a function of what they run."""
    options = ["--multi_gpu", "--num_processes=2", "--num_machines=1", "--machine_rank=0"]
    options += ["--mixed_precision=no", "--dynamo_backend=no"]
    # the launcher's own --cpu would start one process; this variable puts both on the CPU, with gloo
    variables = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "accelerate.commands.launch", *options, *words],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run
