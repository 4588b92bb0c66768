import os
import subprocess
import sys

import pytest


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
            timeout=600,
        )
        assert done.returncode == 0, done.stderr[:4000]
        return done.stdout

    return run
