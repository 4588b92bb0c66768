"""BertAdam against its rule for one number after the other, and in the loop."""

import pytest
import torch

from binviz.training.bert_adam import BertAdam
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig


def naive(values, gradients, lr, decay, clip):
    """Lists of numbers, one tensor; gradients of every step."""
    m, v = [0.0] * len(values), [0.0] * len(values)
    for gradient in gradients:
        norm = sum(g * g for g in gradient) ** 0.5
        for i, g in enumerate(gradient):
            g = g * min(1.0, clip / norm)
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            values[i] -= lr * (m[i] / (v[i] ** 0.5 + 1e-6) + decay * values[i])
    return values


@pytest.mark.parametrize("size", [1e-7, 0.1, 30.0])
def test_the_rule(size):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, generator=generator, dtype=torch.float64)
    gradients = size * torch.randn(4, 5, generator=generator, dtype=torch.float64)
    weight, other = torch.nn.Parameter(start.clone()), torch.nn.Parameter(torch.ones(2))
    optimizer = BertAdam([weight, other], lr=0.05, weight_decay=0.1, clip=2.0)
    for gradient in gradients:
        weight.grad = gradient.clone()
        other.grad = torch.full((2,), 1e3)  # a large gradient elsewhere takes nothing away
        optimizer.step()
        optimizer.zero_grad()
    wanted = torch.tensor(naive(start.tolist(), gradients.tolist(), 0.05, 0.1, 2.0), dtype=torch.float64)
    torch.testing.assert_close(weight.data, wanted)


def test_the_loop_leaves_clipping_to_it():
    """One step; the second tensor's gradient is huge, the first one's small and not shrunk for it."""
    start = torch.tensor([1.0, -2.0])
    layers = torch.nn.ParameterList([torch.nn.Parameter(start.clone()), torch.nn.Parameter(torch.ones(1))])
    net = torch.nn.Module()
    net.layers = layers

    def loss_of(net, batch):
        return (net.layers[0] * batch["x"]).sum() + 1e6 * net.layers[1].sum()

    config = TrainConfig(steps=1, lr=0.1, optimizer="bert-adam", weight_decay=0.0)
    fit(net, lambda step: {"x": torch.tensor([1e-6, 3e-6])}, loss_of, config)
    wanted = torch.tensor(naive(start.tolist(), [[1e-6, 3e-6]], 0.1, 0.0, 1.0))
    torch.testing.assert_close(net.layers[0].data, wanted)
    assert net.layers[1].item() == pytest.approx(1 - 0.1 * 0.1 / 0.001**0.5, rel=1e-3)
