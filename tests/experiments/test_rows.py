"""How far binary attention maps are from softmax's, against numpy."""

import numpy as np
import pytest
import torch

from binviz.errors import UserError
from binviz.evidence import papers, runs
from binviz.experiments import rows


def squared(probs, codes):
    """Mean squared distance with every row's best factor, and without one."""
    factor = (probs * codes).sum(-1, keepdims=True) / codes.sum(-1, keepdims=True)
    return [float(((probs - scale * codes) ** 2).mean()) for scale in (factor, 1.0)]


def test_errors_by_hand():
    scores = np.random.default_rng(0).normal(size=(2, 3, 20)) * 2
    probs = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    quarter = (probs >= probs.max(-1, keepdims=True) / 4).astype(float)
    wanted = squared(probs, quarter)
    found = rows.errors(torch.tensor(scores), torch.tensor(probs))
    assert [found["quarter"], found["quarter_without_factor"]] == pytest.approx(wanted, rel=1e-5)
    assert found["bibert"] == pytest.approx(float(((probs - (scores >= 0)) ** 2).mean()), rel=1e-5)
    best = [min(squared(row, (row >= cut).astype(float))[0] for cut in row) for row in probs.reshape(6, 20)]
    assert np.mean(best) <= found["best_threshold"] <= found["quarter"] * 1.0001


def test_the_papers_order_holds_on_real_rows():
    paper = papers.table("bivit")["table 1"]
    assert paper["BiBERT"] > paper["approximate threshold without scale"] > paper["approximate threshold"]
    for model in ("cifar10-vit.float", "digits-vit.float"):
        found = runs.find("rows", model).metrics
        assert found["bibert"] > found["quarter"] > found["best_threshold"]
        assert found["quarter_without_factor"] > 100 * found["quarter"]


def test_models_without_maps_are_refused():
    with pytest.raises(UserError, match="nothing in this model is called"):
        rows.measure("digits-cnn.float", examples=2)
    with pytest.raises(UserError, match="reads texts"):
        rows.measure("sst2-minilm.float", examples=2)
