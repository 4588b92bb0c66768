"""BiPFT's cells: what is equal between rows that are compared, and what each starts from."""

from binviz.experiments import bipft
from binviz.training.configs import PRETRAIN, names


def test_rows_that_are_compared_see_as_many_examples():
    cells = {cell.name: cell for cell in bipft.EXPERIMENT.cells}
    assert len(cells) == len(bipft.EXPERIMENT.cells)
    for claim in bipft.EXPERIMENT.claims:
        seen = {
            cells[name].stage.train.steps * cells[name].stage.train.batch_size
            for name in (claim.better, claim.worse)
            if not name.endswith(".quarter")
        }
        assert len(seen) == 1, claim
        assert not any(cells[name].stage.is_float for name in (claim.better, claim.worse))


def test_every_start_is_a_folder_that_the_shipped_pretraining_leaves():
    assert "bipft-minilm" in names(PRETRAIN)
    left = {bipft.FLOAT, bipft.PACKED_A}
    for recipe in ("bipft-a", "bipft-b"):
        left.add(f"mlm.float+{recipe}.seed0")
        left |= {f"mlm.float+{recipe}.at-{steps}.seed0" for steps in bipft.PRETRAINING.ends_of_parts[:-1]}
    assert {cell.start for cell in bipft.EXPERIMENT.cells if not cell.teacher} <= left


def test_every_claim_has_a_verdict_that_was_expected():
    assert set(bipft.EXPERIMENT.claims) == set(bipft.EXPECTED)
