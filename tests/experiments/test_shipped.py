"""Every shipped record is the run that its cell declares today: a changed recipe, rate or budget fails here."""

import pytest

from binviz.experiments import registry

#: The bundled text teacher was trained by `binviz train glue`, in batches of 32; its record says so.
FROM_ELSEWHERE = {"sst2.float"}


def shipped(name):
    experiment = registry.get(name)
    return [
        (experiment, cell, seed, run)
        for (cell, seed), run in sorted(experiment.records().items())
        if cell not in FROM_ELSEWHERE
    ]


@pytest.mark.parametrize("name", registry.NAMES)
def test_a_record_has_the_identity_of_its_cell(name):
    found = shipped(name)
    assert found
    for experiment, cell, seed, run in found:
        declared = experiment.identity(experiment.cell(cell), seed, run.data)
        assert run.config["identity"] == declared, run.path
