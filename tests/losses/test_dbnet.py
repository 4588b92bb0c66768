"""The soft step and the three losses of DBNet, against numbers of the official functions and loops over pixels."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from binviz import losses
from binviz.errors import UserError
from binviz.losses.dbnet import balanced_cross_entropy, dice, threshold_error
from binviz.losses.differentiable_binarization import differentiable_binarization

P = [0.2, 0.3, 0.5, 0.52, 0.6, 0.9]
T = [0.3, 0.3, 0.52, 0.5, 0.5, 0.5]
#: Slope -> the map that the official module gives.
SOFT = {
    50.0: [0.006693, 0.5, 0.268942, 0.731058, 0.993307, 1.0],
    10.0: [0.268941, 0.5, 0.450166, 0.549834, 0.731059, 0.982014],
}
SLOPES = [0.332403, 12.5, 9.830601, 9.830602, 0.332403, 0.0]
PRED = [0.9, 0.2, 0.6, 0.7, 0.1, 0.4]
MASK = torch.tensor([1.0, 1, 1, 1, 1, 0])


@pytest.mark.parametrize("k", SOFT)
def test_the_soft_step_of_the_official_code(k):
    p, t = (torch.tensor(values, requires_grad=True) for values in (P, T))
    found = differentiable_binarization(p, t, k)
    torch.testing.assert_close(found, torch.tensor(SOFT[k]), atol=1e-5, rtol=0)
    found.sum().backward()
    by_hand = k * found * (1 - found)
    torch.testing.assert_close(p.grad, by_hand)
    torch.testing.assert_close(t.grad, -by_hand)
    if k == 50.0:
        torch.testing.assert_close(p.grad, torch.tensor(SLOPES), atol=2e-5, rtol=1e-5)


def test_its_gradient_is_the_true_one_of_every_slope():
    for k in (1.0, 10.0, 50.0, 200.0):
        p, t = (torch.rand(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
        assert torch.autograd.gradcheck(lambda p, t, k=k: differentiable_binarization(p, t, k), (p, t))
    far = differentiable_binarization(torch.tensor([0.0, 1.0]), 0.5, 1e6)
    assert far.tolist() == [0.0, 1.0]


def gradient(loss, pred, text):
    given = torch.tensor(pred, requires_grad=True)
    value = loss(given, torch.tensor(text), MASK)
    value.backward()
    return value.item(), given.grad


@pytest.mark.parametrize(
    ("loss", "text", "value", "slopes"),
    [
        (balanced_cross_entropy, [1.0, 0, 0, 1, 0, 0], 0.341366, [-0.222222, 0.25, 0.5, -0.285714, 0.222222, 0]),
        (balanced_cross_entropy, [1.0, 0, 0, 0, 0, 0], 0.612192, [-0.277778, 0.3125, 0.625, 0.833333, 0, 0]),
        (balanced_cross_entropy, [0.0, 0, 0, 0, 0, 0], 0.0, [0, 0, 0, 0, 0, 0]),
        (dice, [1.0, 0, 0, 1, 0, 0], 0.288889, [-0.28642, 0.158025, 0.158025, -0.28642, 0.158025, 0]),
    ],
)  # fmt: skip
def test_parts_of_the_official_code(loss, text, value, slopes):
    found, grad = gradient(loss, PRED, text)
    assert found == pytest.approx(value, abs=1e-5)
    torch.testing.assert_close(grad, torch.tensor(slopes, dtype=torch.float32), atol=1e-5, rtol=0)


def test_thresholds_count_near_an_edge_alone():
    t, wanted = torch.tensor([0.3, 0.5, 0.7, 0.4, 0.3, 0.3]), torch.tensor([0.35, 0.7, 0.5, 0.3, 0.3, 0.3])
    near = torch.tensor([1.0, 1, 0, 1, 0, 0])
    assert threshold_error(t, wanted, near).item() == pytest.approx(0.116667, abs=1e-5)
    assert threshold_error(t, wanted, 0 * near).item() == 0


def test_the_hardest_are_of_the_whole_batch():
    """One word in the first picture lends its three places to the second."""
    p = torch.tensor([[0.8, 0.1], [0.7, 0.6]])
    text = torch.tensor([[1.0, 0], [0, 0]])
    wanted = -(math.log(0.8) + math.log(0.9) + math.log(0.3) + math.log(0.4)) / 4
    assert balanced_cross_entropy(p, text, torch.ones(2, 2)).item() == pytest.approx(wanted, abs=1e-5)


class Says(torch.nn.Module):
    """A detector that answers the same, whatever it is shown; and no one shows it the labels."""

    def __init__(self, p, t):
        super().__init__()
        self.logits, self.thresholds = torch.nn.Parameter(torch.logit(p)[:, None]), t[:, None]

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self.logits, thresholds=self.thresholds)


def batch():
    return {
        "pixel_values": None,
        "shrunk": torch.tensor([[[1.0, 0, 0], [1, 0, 0]]]),
        "mask": MASK.reshape(1, 2, 3),
        "thresholds": torch.tensor([[[0.35, 0.7, 0.5], [0.3, 0.3, 0.3]]]),
        "near": torch.tensor([[[1.0, 1, 0], [1, 0, 0]]]),
    }


def test_three_parts_with_their_weights():
    p, t = torch.tensor(PRED).reshape(1, 2, 3), torch.tensor([[[0.3, 0.5, 0.7], [0.4, 0.3, 0.3]]])
    model, given = Says(p, t), batch()
    targets = ("shrunk", "mask", "thresholds", "near")

    def loss(**options):
        return losses.LossChoice("dbnet", options).make(None, targets)(model, given).item()

    cross = 0.341366
    assert loss(step_weight=0.0, threshold_weight=0.0) == pytest.approx(5 * cross, abs=1e-4)
    assert loss(step_weight=0.0) == pytest.approx(5 * cross + 10 * 0.116667, abs=1e-4)
    k = 7.0
    soft = [1 / (1 + math.exp(-k * (a - b))) for a, b in zip(PRED, t.flatten().tolist(), strict=True)]
    inside = np.array(soft)[[0, 3]].sum()
    wanted = 1 - 2 * inside / (sum(soft[:5]) + 2)
    assert loss(k=k, text_weight=0.0, threshold_weight=0.0) == pytest.approx(wanted, abs=1e-4)
    soft = [1 / (1 + math.exp(-k * (a - 0.3))) for a in PRED]
    wanted = 5 * cross + 1 - 2 * (soft[0] + soft[3]) / (sum(soft[:5]) + 2)
    assert loss(k=k, threshold="fixed") == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("mask", [0.0, 1.0])
def test_pictures_without_text_teach_nothing(mask):
    """A batch in which no pixel is text, or none is asked for: there is no 0 / 0."""
    p, t = torch.rand(2, 4, 5), torch.rand(2, 4, 5)
    model, none = Says(p, t), torch.zeros(2, 4, 5)
    given = {"pixel_values": None, "shrunk": none, "mask": none + mask, "thresholds": none, "near": none}
    loss = losses.LossChoice("dbnet").make(None, ("shrunk", "mask", "thresholds", "near"))(model, given)
    loss.backward()
    assert loss.item() == 1.0 and not model.logits.grad.any()


def test_with_one_mask_the_official_total():
    """5 * 0.341366 + 10 * 0.116667 + the dice of P itself is what the sheet prints."""
    total = 5 * gradient(balanced_cross_entropy, PRED, [1.0, 0, 0, 1, 0, 0])[0] + 10 * 0.1166667
    assert total + gradient(dice, PRED, [1.0, 0, 0, 1, 0, 0])[0] == pytest.approx(3.162386, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threshold": "learnt"}, "say 'learned' or 'fixed'"),
        ({"k": 0.0}, "greater than 0"),
        ({"k": math.nan}, "k is nan"),
    ],
)
def test_what_there_is_not(options, said):
    with pytest.raises(UserError, match=said):
        losses.get("dbnet", **options)
