"""The loss of two tasks, part by part against single numbers, and that each part reaches what it is to change."""

import copy

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from binviz import losses
from binviz.errors import UserError
from binviz.losses.labels import NO_LABEL
from binviz.losses.mtdp import boundary_loss, divergence
from binviz.networks import TwoHeads, TwoHeadsConfig

TARGETS = ("labels", "boundaries")


@pytest.fixture
def net():
    torch.manual_seed(0)
    return TwoHeads(TwoHeadsConfig(width=4, num_labels=3))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(3, (2, 9, 6), generator=generator)
    boundaries = torch.randint(2, (2, 9, 6), generator=generator)
    labels[:, 0] = boundaries[:, 0] = NO_LABEL
    return {
        "pixel_values": torch.randn(2, 3, 9, 6, generator=generator),
        "labels": labels,
        "boundaries": boundaries,
    }


def loss_of(name, teacher=None, **options):
    return losses.LossChoice(name, options).make(teacher, TARGETS)


def test_the_divergence_is_torchs():
    mean, deviation = torch.randn(2, 5, 3, 4), torch.rand(2, 5, 3, 4) + 0.1
    wanted = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(divergence(mean, 2 * deviation.log()), wanted)


def test_boundaries_pixel_by_pixel(batch):
    logits, total, weights = torch.randn(2, 9, 6), 0.0, 0.0
    for logit, wanted in zip(logits.flatten().tolist(), batch["boundaries"].flatten().tolist(), strict=True):
        if wanted != NO_LABEL:
            weight = 3.0 if wanted else 1.0
            total += weight * float(np.log1p(np.exp(-logit if wanted else logit)))
            weights += weight
    assert boundary_loss(logits, batch["boundaries"]).item() == pytest.approx(total / weights, rel=1e-5)
    assert boundary_loss(logits, torch.full((2, 9, 6), NO_LABEL)).item() == 0


def test_parts_add_up(net, batch):
    teacher = copy.deepcopy(net)
    for parameter in teacher.mean.parameters():
        parameter.data += 0.5
    net.eval()
    got, wanted = net(batch["pixel_values"]), teacher.eval()(batch["pixel_values"])
    classes = torch.nn.functional.cross_entropy(got.logits, batch["labels"], ignore_index=NO_LABEL)
    edges = boundary_loss(got.boundary_logits, batch["boundaries"])
    torch.testing.assert_close(loss_of("two-tasks", boundary_weight=2.0)(net, batch), classes + 2 * edges)
    apart = (got.mean - wanted.mean).square().mean()
    found = loss_of("bi-mtdp", teacher, kl=0.0, features=3.0)(net, batch)
    torch.testing.assert_close(found, classes + edges + 3 * apart)
    # What is drawn changes the heads' parts alone
    with torch.no_grad():
        net.log_variance.weight.zero_()
        net.log_variance.bias.fill_(-40.0)
    got = net(batch["pixel_values"])
    wanted = classes + edges + 0.01 * divergence(got.mean, got.log_variance)
    torch.testing.assert_close(loss_of("two-tasks", kl=0.01)(net, batch), wanted)


def test_the_heads_see_what_is_drawn_in_training_alone(net, batch):
    x = batch["pixel_values"]
    net.eval()
    torch.manual_seed(3)
    drawn = net(x, sample=True)
    torch.manual_seed(3)
    noise = torch.randn_like(drawn.mean)
    seen = drawn.mean + (drawn.log_variance / 2).exp() * noise
    logits = torch.nn.functional.interpolate(net.head(seen), (9, 6), mode="bilinear")
    torch.testing.assert_close(drawn.logits, logits)
    assert torch.equal(net(x).logits, net(x).logits) and not torch.equal(net(x).logits, drawn.logits)
    loss_of("two-tasks")(net, batch).backward()
    assert net.log_variance.weight.grad is None and net.mean.weight.grad.any()
    loss_of("two-tasks", kl=1e-3)(net, batch).backward()
    assert net.log_variance.weight.grad.any()


def test_a_teacher_is_needed_for_features():
    with pytest.raises(UserError, match="learns from a teacher"):
        loss_of("bi-mtdp")


def test_a_task_without_boundaries_is_refused(net, batch):
    del batch["boundaries"]
    with pytest.raises(UserError, match="this loss learns two tasks; take one with boundaries"):
        loss_of("two-tasks")(net, batch)
