import math
from itertools import pairwise

import pytest
import torch

from binviz import UserError
from binviz.playground import latent
from binviz.playground.latent import Settings


def test_the_first_snapshot_is_the_untrained_net():
    first = next(latent.train(Settings(steps=5)))
    weight = latent.build(Settings()).get_parameter("0.weight")
    assert (first.step, first.flips, math.isnan(first.loss)) == (0, 0.0, True)
    assert first.outside == (weight.abs() > 1).float().mean().item() == 0.0
    assert sum(first.latent.counts) == weight.numel() == 4096


@pytest.mark.parametrize(("steps", "snapshots", "at"), [(10, 5, [0, 2, 4, 6, 8, 10]), (7, 2, [0, 3, 6, 7])])
def test_snapshots_come_evenly_and_at_the_end(steps, snapshots, at):
    assert [s.step for s in latent.train(Settings(steps=steps), snapshots)] == at


def test_flips_are_of_codes_where_these_are_signs_about_a_mean(monkeypatch):
    """BiT's weights have the sign of their distance from the mean, which moves with every step."""
    seen, build = [], latent.build

    def watched(settings):
        net = build(settings)

        def keep(net, inputs):
            if net.training and torch.is_grad_enabled():
                seen.append(net[0].weight.detach().clone())

        net.register_forward_pre_hook(keep)
        return net

    monkeypatch.setattr(latent, "build", watched)
    reported = [s.flips for s in latent.train(Settings(weight="bit-weight", steps=8), snapshots=8)]
    codes = [weight >= weight.mean() for weight in seen]
    flips = [float((after != before).float().mean()) for before, after in pairwise(codes)]
    assert reported[1:8] == pytest.approx(flips) and sum(flips) > 0


def test_flips_are_means_over_the_steps_between_snapshots():
    each = [s.flips for s in latent.train(Settings(steps=7), snapshots=7)]
    thirds = [s.flips for s in latent.train(Settings(steps=7), snapshots=2)]
    wanted = [0.0, sum(each[1:4]) / 3, sum(each[4:7]) / 3, each[7]]
    assert thirds == pytest.approx(wanted)


def test_the_same_settings_give_the_same_run():
    first, second = (list(latent.train(Settings(steps=12), 3))[1:] for _ in range(2))
    assert first == second


def test_it_learns_and_frozen_signs_learn_less():
    learnt, frozen = (list(latent.train(Settings(steps=150, frozen=f), 1))[-1] for f in (False, True))
    assert learnt.accuracy > 0.85 > frozen.accuracy + 0.2
    assert frozen.flips == 0.0


@pytest.mark.parametrize("clip", [True, False])
def test_clip_keeps_latent_weights_inside(clip):
    *_, last = latent.train(Settings(steps=3, spread=3.0, clip=clip), 1)
    assert (last.outside == 0) == clip


def test_outside_the_window_nothing_moves():
    settings = Settings(spread=3.0)
    net = latent.build(settings).train()
    weight = net.get_parameter("0.weight")
    net(torch.randn(16, 64)).square().sum().backward()
    assert (weight.grad[weight.abs() > 1] == 0).all()
    assert (weight.grad[weight.abs() <= 1] != 0).any()


@pytest.mark.parametrize("weight", ["bnn", "bit-weight", "recu-weight"])
def test_every_pair_of_binarizers_trains(weight):
    for activation in ("bnn", "reactnet-activation", "elastic-signed", "fda-activation"):
        *_, last = latent.train(Settings(weight=weight, activation=activation, steps=3), 1)
        assert math.isfinite(last.loss), activation


@pytest.mark.parametrize("bad", [{"steps": 0}, {"hidden": -1}, {"lr": 0.0}, {"spread": 0.0}])
def test_settings_out_of_range(bad):
    with pytest.raises(UserError, match=f"{next(iter(bad))} must be greater than 0"):
        Settings(**bad)


def test_unknown_binarizer():
    with pytest.raises(UserError, match="nothing"):
        list(latent.train(Settings(weight="nothing", steps=1)))


@pytest.mark.parametrize("activation", latent.ACTIVATIONS)
@pytest.mark.parametrize("weight", ["bnn", "bivit-weight"])
def test_scales_start_from_the_pass_that_training_makes(weight, activation):
    images, _ = latent.pixels("train")
    started, trained = (latent.build(Settings(weight=weight, activation=activation)) for _ in range(2))
    latent.start(started, images[:64])
    trained.train()(images[:64])
    for (name, ours), theirs in zip(started.named_parameters(), trained.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    fresh = dict(latent.build(Settings()).named_buffers())
    for name, buffer in started.named_buffers():
        assert name not in fresh or torch.equal(buffer, fresh[name]), name


def test_an_unsigned_code_learns():
    """Started from a batch that was normalized by running statistics nobody has seen yet, its codes are all 0."""
    *_, last = latent.train(Settings(activation="elastic-unsigned", steps=100), 1)
    assert last.accuracy > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("activation", latent.ACTIVATIONS)
@pytest.mark.parametrize("weight", latent.WEIGHTS)
def test_every_pair_that_is_offered_learns(weight, activation):
    *_, last = latent.train(Settings(weight=weight, activation=activation, steps=200), 1)
    assert last.accuracy > 0.8
