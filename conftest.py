"""What every test and docstring's example stands on: no network, one torch thread, and the same random numbers.

The same ones in any order, alone or together, and on any number of workers: so a test that fails once fails again.
`golden` compares what is declared with a file beside the test.
"""

import functools
import gc
import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import pytest

gc.disable()  # until all tests are imported: that leaves no garbage, and would be searched for it again and again


def pytest_configure(config):
    """Set torch and Hypothesis, but not where others run the tests (`-n 2`) and neither is loaded."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    import torch
    from hypothesis import settings

    # Tiny tensors gain nothing from more, and a second thread waits where the machine is busy.
    torch.set_num_threads(1)
    # The same examples in every run, and as much time for each as a slow machine needs.
    settings.register_profile("the same everywhere", deadline=None, derandomize=True, database=None)
    settings.load_profile("the same everywhere")


def pytest_collection_finish():
    """From here on there may be garbage, though not in what is imported."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def asked_once():
    """What stays the same: the shipped records, more than a thousand files, and what git says of the code."""
    from binviz.evidence import runs

    read, shipped = runs.read, runs.SHIPPED
    known = functools.cache(read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "read", lambda path: (known if path.is_relative_to(shipped) else read)(path))
        patch.setattr(runs, "code_state", functools.cache(runs.code_state))
        yield


@pytest.fixture(autouse=True)
def seed():
    """Before every test, whoever runs it and whatever ran before it."""
    import torch

    torch.manual_seed(0)


def pytest_addoption(parser):
    """`--renew`, for `golden`."""
    parser.addoption(
        "--renew", action="store_true", help="write the golden files anew; see what changed with git diff"
    )


@pytest.fixture
def golden(request):
    """`golden(name, found)`: a dictionary is the one in the JSON file of that name beside the test, a line an entry."""

    def compare(name, found):
        path = request.path.parent / name
        found = json.loads(json.dumps(found))
        if request.config.getoption("--renew"):
            lines = [
                f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in found.items()
            ]
            path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
        recorded = json.loads(path.read_text("utf-8"))
        changed = [key for key in recorded | found if recorded.get(key) != found.get(key)]
        here = request.path.relative_to(request.config.rootpath).as_posix()
        assert not changed, (
            f"{len(changed)} of {name} changed, the first: {changed[0]}\n  is:  {found.get(changed[0])}\n"
            f"  was: {recorded.get(changed[0])}\nRecords made before may belong to it no longer. "
            f"If that is meant: python -m pytest --renew {here}"
        )

    return compare
