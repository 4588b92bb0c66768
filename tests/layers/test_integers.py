"""One attention layer from its input to its output projection, whose inputs are integers, written in plain autograd."""

from typing import NamedTuple

import pytest
import torch

from binviz import recipes
from binviz.layers import BinaryLinear
from binviz.layers.attention import BinaryAttention

B, H, T, D = 3, 2, 6, 4


class Edges(NamedTuple):
    """What the gradient does at exactly 1, in each place."""

    weight: str
    activation: str
    query_key_value: str
    scores: str


#: As the official codes have them.
OFFICIAL = {
    "bibert": Edges("passes", "passes", "blocks", "blocks"),
    "bivit-w1a1": Edges("blocks", "blocks", "blocks", "blocks"),
    "dorefa": Edges("blocks", "blocks", "blocks", "blocks"),
    "xnorpp": Edges("blocks", "blocks", "blocks", "blocks"),
}


def straight(x, edge):
    """sign(x) with the gradient of x inside +-1."""
    inside = (x.abs() < 1) | ((x.abs() == 1) & (edge == "passes"))
    return torch.where(x >= 0, 1.0, -1.0).double().detach() + (x - x.detach()) * inside


def split(x):
    return x.view(B, T, H, D).transpose(1, 2)


def weight_of(name, w, edge):
    size = w.detach().abs().mean(1, keepdim=True)
    centred = w - w.mean(1, keepdim=True)
    if name == "bibert":  # the gradient skips the scale
        signs = straight(centred, edge)
        return size * signs.detach() + (signs - signs.detach())
    if name == "bivit-w1a1":
        return straight(centred, edge) * size
    return straight(w, edge) * (size if name == "dorefa" else 1)


def map_of(name, scores, edge):
    if name == "bivit-w1a1":
        a = scores.softmax(-1)
        return (a >= a.amax(-1, keepdim=True) / 4).double() + (a - a.detach())
    s = straight(scores, edge)
    return (s.detach() + 1) / 2 + (s - s.detach())


def plain(name, edges, x, weights, biases):
    def linear(x, i):
        return straight(x, edges.activation) @ weight_of(name, weights[i], edges.weight).mT + biases[i]

    q, k, v = (straight(split(linear(x, i)), edges.query_key_value) for i in range(3))
    context = map_of(name, q @ k.mT * D**-0.5, edges.scores) @ v
    return linear(context.transpose(1, 2).reshape(B, T, H * D), 3), context


def ours(recipe, x, weights, biases):
    made = []
    for weight, bias in zip(weights, biases, strict=True):
        layer = BinaryLinear(
            H * D,
            H * D,
            weight=recipe.weight.make(H * D, channel_axis=0),
            activation=recipe.activation.make(H * D),
            output_scale=recipe.output_scale,
        )
        layer.weight, layer.bias = (
            torch.nn.Parameter(weight.detach().clone()),
            torch.nn.Parameter(bias.clone()),
        )
        made.append(layer.double())
    parts = (choice.make(1) for choice in (recipe.query, recipe.key, recipe.value, recipe.attention))
    attention = BinaryAttention(*parts, attention_on=recipe.attention_on)
    q, k, v = (split(layer(x)) for layer in made[:3])
    context, _ = attention(attention, q, k, v, None, D**-0.5, 0.0)
    return made[3](context.transpose(1, 2).reshape(B, T, H * D)), [layer.weight for layer in made]


def gradients(recipe, name, edges):
    """Of the four weights, ours and the plain ones; and how much of the projection's input is exactly +-1."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(B, T, H * D, generator=generator, dtype=torch.float64)
    x.view(-1)[::3] = x.view(-1)[::3].round()  # the first three layers meet their edges too
    weights = [torch.randn(H * D, H * D, generator=generator).double().requires_grad_() for _ in range(4)]
    biases = [torch.randn(H * D, generator=generator).double() for _ in range(4)]
    incoming = torch.randn(B, T, H * D, generator=generator, dtype=torch.float64)
    wanted, context = plain(name, edges, x, weights, biases)
    found, own = ours(recipe, x, weights, biases)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)  # scales are float32
    ones = (context.abs() == 1).double().mean().item()
    return torch.autograd.grad(found, own, incoming), torch.autograd.grad(wanted, weights, incoming), ones


@pytest.mark.parametrize("edge", [None, "passes", "blocks"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_whole_layer(name, edge):
    recipe, edges = recipes.get(name), OFFICIAL[name]
    if edge is not None:
        recipe, edges = recipe.with_edge(edge), Edges(*[edge] * 4)
    found, wanted, ones = gradients(recipe, name, edges)
    assert ones > 0.1  # the edge is met
    for mine, its in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_edge_moves_queries_keys_and_values_and_not_the_projection(name):
    passes, blocks = (
        gradients(recipes.get(name).with_edge(edge), name, Edges(*[edge] * 4))[0]
        for edge in ("passes", "blocks")
    )
    for one, other in zip(passes[:3], blocks[:3], strict=True):
        assert torch.cosine_similarity(one.flatten(), other.flatten(), dim=0) < 0.99
    torch.testing.assert_close(passes[3], blocks[3])
