"""RBONN's weights: golden vectors of the official functions, gradients, and what steps back when."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import binviz
from binviz.binarizers import get
from binviz.binarizers.rbonn import stepping_back
from binviz.errors import UserError
from binviz.training.loop import fit, parameter_groups
from binviz.training.settings import TrainConfig


def started(alpha, **options):
    binarizer = get("rbonn-weight", features=len(alpha), **options)
    binarizer.alpha.data.copy_(torch.tensor(alpha))
    binarizer.initialized.fill_(True)
    return binarizer


def test_golden_values_and_gradients():
    w = torch.tensor([[0.5, -0.25, 0.1], [-0.4, 0.05, 0.3]], requires_grad=True)
    binarizer = started([0.8, -0.3])
    out = binarizer(w)
    out.backward(torch.tensor([[1.0, 2.0, -1.0], [0.5, -1.0, 0.0]]))
    wanted = torch.tensor([[0.016, -0.016, 0.016], [-0.006, 0.006, 0.006]])
    torch.testing.assert_close(out, wanted)
    to_w = [[0.80004841, 1.59997666, -0.79999161], [0.14996061, -0.2999956, 0.0000294]]
    torch.testing.assert_close(w.grad, torch.tensor(to_w), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(binarizer.alpha.grad, torch.tensor([-0.1000016, 0.25000146]))


@pytest.mark.parametrize(
    ("which", "wanted"),
    [("official", [-0.1, -0.2, 0.1, -0.4, 0.1]), ("lowest", [0.3, -0.6, 0.1, -0.4, 0.1])],
)
def test_golden_recurrence(which, wanted):
    """w' itself, and that its signs are what the forward has, and its gradient what u learns from."""
    w = torch.tensor([[0.3], [-0.2], [0.1], [-0.4], [0.5]], requires_grad=True)
    w.grad = torch.full((5, 1), 2.0)
    binarizer = started([0.5, 0.1, 0.4, 0.3, 0.2], which=which)
    torch.testing.assert_close(
        binarizer._stepped_back(w, binarizer.u).detach(), torch.tensor(wanted)[:, None]
    )
    out, moved = binarizer(w), torch.tensor(wanted)
    assert (out.flatten() > 0).tolist() == [value >= 0 for value in wanted]
    of_moved = torch.autograd.grad(out.sum(), [w, binarizer.u])
    chosen = moved != w.detach().flatten()
    torch.testing.assert_close(of_moved[1], -2.0 * chosen * of_moved[0].flatten())
    for still in (binarizer.eval()(w), torch.no_grad()(binarizer.train())(w)):
        assert torch.equal(still.flatten() > 0, w.flatten() > 0)


@pytest.mark.parametrize(("channels", "count"), [(5, 2), (64, 25), (128, 51), (2, 0)])
def test_the_official_choice_reads_an_order_as_ranks(channels, count):
    scale = torch.rand(channels)
    order = sorted(range(channels), key=lambda i: scale[i])
    lowest, official = (
        set(stepping_back(scale, which).nonzero().flatten().tolist()) for which in ("lowest", "official")
    )
    assert lowest == set(order[:count])
    assert official == {place for place in range(channels) if order[place] < count}
    assert len(official) == count


def test_without_it_there_is_nothing_to_step_with():
    binarizer = started([0.5, 0.1, 0.4, 0.3, 0.2], which="none")
    assert [name for name, _ in binarizer.named_parameters()] == ["alpha"]
    w = torch.ones(5, 3, requires_grad=True)
    w.grad = torch.full((5, 3), 100.0)
    assert (binarizer(w) > 0).all()
    with pytest.raises(UserError, match="which is 'lowest', 'official' or 'none', not 'all'"):
        get("rbonn-weight", which="all")


def test_the_loop_keeps_the_gradient_that_is_read_and_gives_u_the_scales_rate():
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(3)))
    binviz.binarize_(model, "rbonn")
    binarizer, config = (
        model[1].weight_binarizer,
        TrainConfig(2, 1e-2, scale_lr=1e-3, warmup=0.0, schedule="constant"),
    )
    groups = parameter_groups(model, config)
    assert {id(p) for p in groups[-1]["params"]} == {id(binarizer.alpha), id(binarizer.u)}

    def learned(steps):
        fit(
            model,
            lambda step: {"x": torch.ones(4, 6)},
            lambda net, batch: net(batch["x"]).square().sum(),
            replace(config, steps=steps),
        )
        return (binarizer.u != 0.2).sum()

    assert learned(1) == 0  # no step before
    assert learned(2) == 2  # int(0.4 * 6) channels
