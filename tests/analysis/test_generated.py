"""Sampling and the Frechet distance, against definitions of a few lines."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn
from transformers.modeling_outputs import ImageClassifierOutput

import binviz
from binviz.analysis import frechet, sampling
from binviz.data import digits

TIMES, START, END = 100, 0.0015, 0.0195


class Noise(nn.Module):
    """Something that depends on every pixel and on the time."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x, t):
        seen = torch.tanh(self.mix(x)) + t.view(-1, 1, 1, 1) / TIMES
        return ImageClassifierOutput(logits=seen.unsqueeze(-1))


def schedule(**options):
    from diffusers import DDIMScheduler

    return DDIMScheduler(TIMES, START, END, timestep_spacing="trailing", **options)


def by_hand(model, x, steps, clip):
    """DDIM with eta 0 in NumPy: after each step the picture and the clean one that was seen."""
    kept = np.cumprod(1 - np.linspace(START, END, TIMES))
    every = [TIMES - 1 - i * (TIMES // steps) for i in range(steps)]
    for i, t in enumerate(every):
        with torch.no_grad():
            eps = model(torch.from_numpy(x).float(), torch.full((len(x),), t)).logits[..., 0].double().numpy()
        clean = (x - np.sqrt(1 - kept[t]) * eps) / np.sqrt(kept[t])
        if clip:
            clean = clean.clip(-1, 1)
        left = kept[every[i + 1]] if i + 1 < steps else 1.0
        x = np.sqrt(left) * clean + np.sqrt(1 - left) * eps
        yield x, clean


@pytest.mark.parametrize("steps", [1, 4, 25])
@pytest.mark.parametrize("clip", [False, True])
def test_every_step_is_ddims(steps, clip):
    model, given = Noise(), sampling.noise(2, (2, 3, 5), seed=1)
    before = given.clone()
    found = list(sampling.sample(model, given, schedule(clip_sample=clip), steps))
    assert torch.equal(given, before) and len(found) == steps and found[-1].t == 0
    for ours, (picture, clean) in zip(
        found, by_hand(model, given.double().numpy(), steps, clip), strict=True
    ):
        np.testing.assert_allclose(ours.picture, picture, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(ours.clean, clean, rtol=1e-3, atol=1e-3)
    assert torch.equal(found[-1].picture, found[-1].clean)


def test_the_same_noise_is_the_same_picture_and_no_gradient_is_kept():
    model, given = Noise(), sampling.noise(1, (2, 4, 4), seed=3)
    one, two = (list(sampling.sample(model, given, schedule(), 5))[-1].picture for _ in range(2))
    assert torch.equal(one, two) and not one.requires_grad
    assert not torch.equal(given, sampling.noise(1, (2, 4, 4), seed=4))


@pytest.mark.parametrize("steps", [0, -1, 3, 101])
def test_steps_that_miss_the_times_are_refused(steps):
    with pytest.raises(binviz.UserError, match="choose a divisor of 100"):
        next(sampling.sample(Noise(), torch.zeros(1, 2, 4, 4), schedule(), steps))


def naive(a, b):
    """With the root of the product of both covariances."""
    root = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    apart = a.mean(0) - b.mean(0)
    return apart @ apart + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)


@pytest.mark.parametrize("width", [2, 7, 24])
def test_the_distance_is_that_of_the_formula(width):
    rng = np.random.default_rng(width)
    mixed = rng.normal(size=(2, width, width))
    a, b = rng.normal(size=(60, width)) @ mixed[0], rng.normal(size=(41, width)) @ mixed[1] + 1
    assert frechet.frechet(a, b) == pytest.approx(naive(a, b), rel=1e-6)
    assert frechet.frechet(a, b) == pytest.approx(frechet.frechet(b, a))
    assert frechet.frechet(a, a) == pytest.approx(0, abs=1e-9)
    turned = np.linalg.qr(mixed[0])[0]
    assert frechet.frechet(a @ turned + 5, b @ turned + 5) == pytest.approx(frechet.frechet(a, b))


def test_fewer_pictures_than_features_are_a_distance_too():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 20)), rng.normal(size=(4, 20))
    assert frechet.frechet(a, b) > 0
    # All of it lies in a space of 7 dimensions, in which the formula can be trusted
    basis = np.linalg.svd(np.vstack([a - a.mean(0), b - b.mean(0), a.mean(0) - b.mean(0)]))[2][:8]
    assert frechet.frechet(a @ basis.T, b @ basis.T) == pytest.approx(frechet.frechet(a, b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((1, 3)), np.zeros((9, 3))),
        (np.zeros((9, 2)), np.zeros((9, 3))),
        (np.zeros(9), np.zeros((9, 1))),
    ],
    ids=["one", "widths", "flat"],
)
def test_features_of_another_shape_are_refused(a, b):
    with pytest.raises(binviz.UserError, match="features are"):
        frechet.frechet(a, b)
    with pytest.raises(binviz.UserError, match="not all finite"):
        frechet.frechet(np.full((3, 2), np.nan), np.zeros((3, 2)))


def test_features_of_the_bundled_classifier_give_its_answers():
    model = binviz.load("digits-cnn.float")
    pictures = torch.from_numpy(digits.load("test")[0][:7])
    found = torch.from_numpy(frechet.features(model, pictures, batch=3)).float()
    with torch.no_grad():
        torch.testing.assert_close(model.head(found), model(pixel_values=pictures).logits)
    assert not model.head._forward_pre_hooks


def test_few_real_pictures_are_farther_apart_than_many():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(400, 6))
    few, many = (np.mean([frechet.of_real(real, n, seed) for seed in range(8)]) for n in (20, 200))
    assert few > 5 * many
    with pytest.raises(binviz.UserError, match="there are 400"):
        frechet.of_real(real, 201)
