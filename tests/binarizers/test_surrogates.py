"""Every surrogate gradient against a definition that shares no code with it."""

from math import cos, pi

import numpy as np
import pytest
import torch

from binviz.binarizers import get, sign, with_surrogate
from binviz.binarizers.conformance import sample

ROWS = sample(-1, 8).view(-1, 8)


def window(x):
    return 1.0 if -1 <= x <= 1 else 0.0


def open_window(x):
    return 1.0 if -1 < x < 1 else 0.0


def ramp(x):
    if -1 <= x < 0:
        return 2 + 2 * x
    return 2 - 2 * x if 0 <= x < 1 else 0.0


def fourier(n):
    return lambda x: 4 * 0.1 / pi * sum(cos((2 * i + 1) * 0.1 * x) for i in range(n + 1)) * window(x)


def code_and_value_gradients(binarizer, x, incoming):
    leaf = x.clone().requires_grad_()
    code = binarizer.encode(leaf)
    of_code = torch.autograd.grad(code.q, leaf, incoming, retain_graph=True)[0]
    of_value = torch.autograd.grad(code.decode(), leaf, incoming)[0]
    return of_code, of_value, code


@pytest.mark.parametrize(
    ("name", "options", "progress", "definition"),
    [
        ("bnn", {}, 0, window),
        ("stored", {"features": 24}, 0, window),
        ("xnor-activation", {}, 0, window),
        ("xnor-weight", {}, 0, window),
        ("dorefa-weight", {}, 0, open_window),
        ("bireal-activation", {}, 0, ramp),
        ("recu-activation", {}, 0, ramp),
        ("fda-activation", {}, 0, fourier(9)),
        ("fda-activation", {}, 0.5, fourier(13)),
        ("fda-weight", {"features": 24}, 1, fourier(18)),
        ("bibert-attention", {}, 0, open_window),
        ("row-threshold", {}, 0, lambda x: 1.0),
        ("binary-connect-weight", {"features": 24}, 0, lambda x: 1.0),
        ("bit-planes", {"greys": 17, "low": -1.5}, 0, lambda x: 16 / 2.5 if -1.5 <= x <= 1 else 0.0),
        ("bivit-attention", {}, 0, lambda x: 1.0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_code(name, options, progress, definition):
    binarizer = get(name, **options).eval()
    binarizer.set_progress(progress)
    incoming = torch.randn_like(ROWS)
    gradient, _, _ = code_and_value_gradients(binarizer, ROWS, incoming)
    wanted = np.vectorize(definition, otypes=[np.float64])(ROWS.double().numpy()) * incoming.numpy()
    np.testing.assert_allclose(gradient.numpy(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "definition"),
    [
        ("bit-weight", {}, lambda x: 1.0),
        ("bit-weight", {"per_row": True}, lambda x: 1.0),
        ("bireal-weight", {}, window),
        ("bivit-attention", {"scale": True}, lambda x: 1.0),
        ("bivit-attention", {"method": "descent", "scale": True}, lambda x: 1.0),
    ],
)
def test_value_where_the_gradient_skips_the_scale(name, options, definition):
    incoming = torch.randn_like(ROWS)
    _, gradient, _ = code_and_value_gradients(get(name, **options), ROWS, incoming)
    wanted = np.vectorize(definition, otypes=[np.float64])(ROWS.numpy()) * incoming.numpy()
    np.testing.assert_allclose(gradient.numpy(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "low", "high"),
    [
        ("elastic-signed", {"bits": 1}, -1, 1),
        ("elastic-signed", {"bits": 2}, -2, 1),
        ("elastic-signed", {"bits": 4}, -8, 7),
        ("elastic-ternary", {}, -1, 1),
        ("elastic-unsigned", {"bits": 1}, 0, 1),
        ("elastic-unsigned", {"bits": 2}, 0, 3),
        ("elastic-unsigned", {"bits": 4}, 0, 15),
    ],
)
def test_elastic(name, options, low, high):
    """BiT's gradients to x, alpha and beta, number by number."""
    alpha = 0.5  # so that x / alpha is exact and the corners are met
    sign = options == {"bits": 1} and low < 0
    binarizer = get(name, learn_shift=True, features=8, **options)
    binarizer.initialize(ROWS)
    binarizer.alpha.data.fill_(alpha)
    binarizer.beta.data.copy_(torch.linspace(-0.25, 0.25, 8))
    incoming = torch.randn_like(ROWS)
    leaf = ROWS.clone().requires_grad_()
    out = binarizer(leaf)
    out.backward(incoming)

    moved = (ROWS + binarizer.beta.detach()).double().numpy()
    gradient, to_alpha = np.zeros_like(moved), 0.0
    for at, x in np.ndenumerate(moved):
        g = incoming[at].item()
        q = (1 if x >= 0 else -1) if sign else min(max(round(x / alpha), low), high)
        inside = low <= x / alpha <= high
        gradient[at] = g * inside
        to_alpha += g * (q - x / alpha if inside and not sign else q)
        assert out[at].item() == alpha * q
    np.testing.assert_allclose(leaf.grad.numpy(), gradient, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(binarizer.beta.grad.numpy(), gradient.sum(0), rtol=1e-4, atol=1e-5)
    assert binarizer.alpha.grad.item() == pytest.approx(to_alpha / (ROWS.numel() * high) ** 0.5, rel=1e-4)


def test_elastic_without_gradient_scale():
    scaled, plain = (get("elastic-unsigned", bits=2, grad_scale=flag) for flag in (True, False))
    for binarizer in (scaled, plain):
        binarizer(ROWS).pow(3).sum().backward()
    factor = (ROWS.numel() * 3) ** 0.5
    assert plain.alpha.grad.item() == pytest.approx(scaled.alpha.grad.item() * factor, rel=1e-5)


def test_reactnet_sees_the_shifted_input():
    binarizer = get("reactnet-activation", features=8)
    binarizer.threshold.data.copy_(torch.linspace(-1, 1, 8))
    leaf = ROWS.clone().requires_grad_()
    binarizer(leaf).sum().backward()
    wanted = np.vectorize(ramp)((ROWS + binarizer.threshold).detach().double().numpy())
    np.testing.assert_allclose(leaf.grad.numpy(), wanted, atol=1e-6)
    np.testing.assert_allclose(binarizer.threshold.grad.numpy(), wanted.sum(0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "of_value", "definition"),
    [
        ("bibert-weight", {}, True, window),
        ("bivit-weight", {"features": 24}, False, open_window),
        ("xnor-weight", {"centre": True}, False, window),
    ],
)
def test_gradient_goes_through_the_centring(name, options, of_value, definition):
    incoming = torch.randn_like(ROWS)
    of_code, value, code = code_and_value_gradients(get(name, **options), ROWS, incoming)
    centred = (ROWS - ROWS.mean(1, keepdim=True)).numpy()
    inner = incoming.numpy() * np.vectorize(definition)(centred)
    wanted = inner - inner.mean(1, keepdims=True)
    np.testing.assert_allclose((value if of_value else of_code).numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(code.q.detach(), sign(ROWS - ROWS.mean(1, keepdim=True)))


@pytest.mark.parametrize("shape", [(24, 8), (6, 4, 3, 3)])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_recu_weight_is_a_clamp_of_the_standardised_row(shape, t):
    weight = torch.randn(shape, dtype=torch.float64)
    incoming = torch.randn(shape, dtype=torch.float64)
    binarizer = get("recu-weight", features=shape[0])
    binarizer.set_progress(t)
    gradient, _, _ = code_and_value_gradients(binarizer, weight, incoming)

    leaf = weight.clone().requires_grad_()
    flat = leaf.flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    standard = centred / ((centred.var(1, keepdim=True) + 1e-5).sqrt() / (2 * 2**0.5))
    limit = (-standard.abs().mean() * np.log(2 - 2 * binarizer.tau)).item()
    (standard.clamp(-limit, limit) * incoming.flatten(1)).sum().backward()
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (24, 8)), (1, (5, 4, 3, 3))])
def test_recu_activation_in_training_is_the_triangle_of_the_standardised_row(axis, shape):
    x, incoming = torch.randn(2, *shape, dtype=torch.float64).unbind()
    gradient, _, code = code_and_value_gradients(get("recu-activation", channel_axis=axis), x, incoming)
    leaf = x.clone().requires_grad_()
    rows = leaf.flatten(1)
    seen = rows / (rows.var(1, keepdim=True) + 1e-5).sqrt()
    quadratic = torch.where(seen < 0, 2 * seen + seen**2, 2 * seen - seen**2)
    approximate = torch.where(seen.abs() < 1, quadratic, seen.sign())
    (approximate * incoming.flatten(1)).sum().backward()
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-9, atol=1e-9)
    assert torch.equal(code.q.detach(), x.sign())


@pytest.mark.parametrize("features", [1, 8])
def test_fda_noise_takes_part_in_the_gradient_only(features):
    binarizer = get("fda-activation", features=features)
    leaf = ROWS.clone().requires_grad_()
    out = binarizer(leaf)
    assert torch.equal(out.detach(), sign(ROWS))
    incoming = torch.randn_like(ROWS)
    out.backward(incoming)

    other = ROWS.clone().requires_grad_()
    seen = other.unsqueeze(-1) if features == 1 else other
    w1, w2 = (binarizer.noise.get_parameter(f"{name}.weight").detach() for name in ("fc1", "fc2"))
    eta = (seen @ w1.T).relu() @ w2.T + 0.1 * seen.sin()
    (0.1 * eta.view(ROWS.shape) * incoming).sum().backward()
    series = torch.tensor(np.vectorize(fourier(9))(ROWS.numpy()), dtype=torch.float32)
    torch.testing.assert_close(leaf.grad, other.grad + series * incoming, rtol=1e-4, atol=1e-5)


def test_identity_and_overwriting_surrogates_agree_with_the_plain_form():
    incoming = torch.randn_like(ROWS)

    def gradient(derivative, inplace=False):
        leaf = ROWS.clone().requires_grad_()
        q = with_surrogate(leaf, sign(leaf), derivative, inplace=inplace)
        return torch.autograd.grad(q, leaf, incoming)[0]

    assert torch.equal(gradient(None), incoming)
    assert torch.equal(gradient(torch.cos), gradient(torch.cos, inplace=True))
