"""What people call runs: unique, without the spelling of cells."""

import re

import pytest

from binviz.evidence import names, runs


@pytest.fixture(scope="module")
def shipped():
    return list(runs.runs())


def test_every_shipped_run_has_a_name_of_its_own(shipped):
    found = names.named(shipped)
    assert len(found) == len(shipped)
    assert not [name for name in found if "(cell" in name]


def test_names_are_words(shipped):
    for name in names.named(shipped):
        assert "+" not in name.replace("{-1, +1}", "").replace("Net++", ""), name
        assert not re.search(r"\w\.\w", re.sub(r"\d\.\d", "", name)), name


def test_short_names_tell_runs_apart(shipped):
    bit = [
        run for run in shipped if run.experiment == "bit" and run.cell.startswith("sst2.") and run.seed == 0
    ]
    for first in bit:
        for second in bit:
            told = names.short([first, second])
            assert first is second or (told[0] != told[1] and all(told))


def test_a_seed_is_said_only_where_it_matters():
    one, two = runs.find("bit", "sst2.bit-w1a1"), runs.find("bit", "sst2.bit-w1a1", 1)
    assert "seed" not in "".join(names.short([one]))
    assert all("seed" in name for name in names.short([one, two]))
