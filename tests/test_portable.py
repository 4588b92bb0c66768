"""What differs between systems, and is easily forgotten on the one at hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from binviz_kernels.forms import FORMS

ROOT = Path(__file__).parents[1]


def test_file_names_are_those_of_every_system():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = tracked.stdout.decode().split("\0")
    if tracked.returncode:
        pytest.skip("no checkout of git")
    assert len({name.lower() for name in names}) == len(names)
    assert not [name for name in names if set(name) & set('<>:"|?*\\') or len(name) > 120]


def binviz(*words: str, program: str = "", **settings: str) -> subprocess.CompletedProcess:
    command = ["-c", program] if program else ["-m", "binviz.cli", *words]
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("", "kernels", "dashboard"))
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": paths} | settings,
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


def test_a_console_that_lacks_a_sign_gets_another():
    program = "from binviz import cli; cli.app = lambda: print('12 \\N{MICRO SIGN}s'); cli.main()"
    done = binviz(program=program, PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr) == ("12 ?s\n", "")


def test_the_command_refuses_an_unknown_form_of_the_kernels_in_one_line():
    done = binviz("bench", "--quick", BINVIZ_KERNELS="sse")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"binviz: BINVIZ_KERNELS must be one of {', '.join(FORMS)}, got 'sse'"
    ]
