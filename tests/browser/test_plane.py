"""The playground's nets in the browser, held to the library's."""

import pytest
import torch
from binviz_dashboard import plane as page_of
from torch import nn

from binviz import binarizers
from binviz.playground import plane

pytestmark = pytest.mark.browser

WEIGHTS = [
    "float",
    "bnn",
    "xnor-weight",
    "bireal-weight",
    "bibert-weight",
    "bit-weight",
    "recu-weight",
    "fda-weight",
]
ACTIVATIONS = [
    "float", "bnn", "xnor-activation", "bireal-activation", "reactnet-activation", "elastic-signed", "elastic-unsigned",
    "fda-activation",
]  # fmt: skip
#: Every binarizer on either side once, beside a plain one.
PAIRS = [(weight, "bnn") for weight in WEIGHTS] + [("xnor-weight", activation) for activation in ACTIVATIONS]
MOVED = {"threshold": 0.15, "scale": 1.3, "width": 1.7}
NOISE_FREE = {"fda-weight": {"noise": False}, "fda-activation": {"noise": False}}

RUN = """
({ weight, activation, ends, shape, optimizer, lr, steps }) => {
    const part = (each) => each && { threshold: 0, scale: 1, width: 1, surrogate: "own", ...each };
    const net = new core.Net({ depth: 3, width: 6, ends }, part(weight), part(activation), 5);
    const data = core.points(shape, 0.1, 5), losses = [net.loss(data)];
    const values = Array.from(net.forward(data.x).at(-1).z);
    const all = (what) => net.layers.map((layer) => ({
        w: Array.from(layer.w[what]), b: Array.from(layer.b[what]),
        learnt: [layer.rows, layer.shift, layer.alpha].filter(Boolean).flatMap((each) => Array.from(each[what])),
    }));
    const gradients = all("grad"), learner = new core.Learner(net);
    for (let step = 0; step < steps; step++) losses.push(learner.learn(data, optimizer, lr));
    return { points: Array.from(data.x), values, gradients, losses, weights: all("value") };
}
"""


@pytest.fixture(scope="module")
def core(chromium):
    """A blank page that has only the nets."""
    page = chromium.new_page()
    load = """async (source) => {
        const module = new Blob([source], { type: "text/javascript" });
        window.core = await import(URL.createObjectURL(module));
    }"""
    page.evaluate(load, page_of.source())
    yield page
    page.close()


def maker(part, **given):
    if part is None:
        return None
    name, moved = part["name"], {key: value for key, value in part.items() if key != "name"}

    def make(features):
        found = binarizers.get(name, features=features, **given, **NOISE_FREE.get(name, {}))
        return plane.Moved(found, **moved) if moved else found

    return make


def torch_run(weight, activation, ends, shape, optimizer, lr, steps):
    """What RUN gives, from the library."""
    x, t = plane.points(shape, 0.1, 5)
    net = plane.start(plane.net(6, 3, maker(weight, channel_axis=0), maker(activation), ends), 5)
    values = net(x)[:, 0].tolist()
    plane.loss(net, x, t).backward()

    def every(read):
        found, learnt = [], []
        for module in net:
            learnt += [
                read(p)
                for name, p in module.named_parameters()
                if name.split(".")[-1] not in ("weight", "bias")
            ]
            if isinstance(module, nn.Linear):
                found.append(
                    {
                        "w": read(module.weight),
                        "b": read(module.bias),
                        "learnt": [number for numbers in learnt for number in numbers],
                    }
                )
                learnt = []
        return found

    gradients = every(lambda p: p.grad.flatten().tolist())
    step = {
        "adam": torch.optim.Adam(net.parameters(), lr),
        "sgd": torch.optim.SGD(net.parameters(), lr),
        "momentum": torch.optim.SGD(net.parameters(), lr, momentum=0.9),
    }[optimizer]
    losses = [plane.loss(net, x, t).item()]
    for _ in range(steps):
        loss = plane.loss(net, x, t)
        losses.append(loss.item())
        step.zero_grad()
        loss.backward()
        step.step()
    weights = every(lambda p: p.detach().flatten().tolist())
    found = {"values": values, "gradients": gradients, "losses": losses, "weights": weights}
    return found | {"points": x.flatten().tolist()}


def numbers(found):
    """All numbers of nested lists and mappings, in order."""
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found)]
    return [number for each in found for number in numbers(each)] if isinstance(found, list) else [found]


def assert_same(core, **settings):
    ours, theirs = core.evaluate(RUN, settings), torch_run(**settings)
    for what in theirs:
        found, wanted = (torch.tensor(numbers(each[what]), dtype=torch.float64) for each in (ours, theirs))
        torch.testing.assert_close(
            found, wanted, rtol=1e-5, atol=1e-5, msg=lambda said, what=what: f"{what}: {said}"
        )


def part(name, **moved):
    return None if name == "float" else {"name": name, **moved}


@pytest.mark.parametrize(("weight", "activation"), PAIRS)
def test_values_gradients_and_weights_after_200_steps_are_the_librarys(core, weight, activation):
    assert_same(
        core,
        weight=part(weight),
        activation=part(activation),
        ends=False,
        shape="circles",
        optimizer="adam",
        lr=0.03,
        steps=200,
    )


@pytest.mark.parametrize("surrogate", ["own", *plane.SURROGATES])
@pytest.mark.parametrize("weight", WEIGHTS[1:])
def test_with_every_other_binarizer_and_surrogate_it_is_the_librarys(core, weight, surrogate):
    others = ACTIVATIONS[1:] if surrogate == "own" or weight == "bnn" else ["bnn"]
    for activation in others:
        assert_same(
            core,
            weight=part(weight, surrogate=surrogate, **MOVED),
            activation=part(activation, surrogate=surrogate, **MOVED),
            ends=True,
            shape="moons",
            optimizer="momentum",
            lr=0.03,
            steps=5,
        )


@pytest.mark.parametrize(
    ("shape", "optimizer"), list(zip(plane.SHAPES, ["adam", "sgd", "momentum", "adam"], strict=True))
)
def test_every_shape_and_optimizer_is_the_librarys(core, shape, optimizer):
    pair = {"weight": part("xnor-weight"), "activation": part("bireal-activation")}
    assert_same(core, **pair, ends=True, shape=shape, optimizer=optimizer, lr=0.1, steps=200)
