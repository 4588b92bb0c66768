"""Plain torch networks: which layers are at the ends, which are not called, and what becomes of the rest."""

import copy
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import binviz
from binviz.adapters import layout_of
from binviz.adapters.plain import UNSEEN
from binviz.errors import UserError
from binviz.layers import BinaryLinear

X = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Layers a to f; a subclass says what is called on what."""

    def __init__(self):
        super().__init__()
        for name in "abcdef":
            setattr(self, name, nn.Linear(6, 6))


class Heads(Net):
    """Two heads; e is one in training only, f is never called."""

    def forward(self, x, labels=None):
        x = self.b(self.a(x).relu()).tanh()
        answers = {"one": self.c(x), "two": self.d(x)}
        if self.training:
            answers["more"] = self.e(x)
        if labels is not None:
            answers["loss"] = F.cross_entropy(answers["one"], labels)
        return answers


class Inputs(Net):
    """Two layers that see the input, and one that is given back and goes on."""

    def forward(self, x, other=None):
        h = self.c(self.a(x).tanh() + self.b(x if other is None else other).tanh())
        return self.f(self.e(self.d(h.tanh()).tanh()).tanh()), h


class Past(Net):
    """Multiplies with the weight of c itself; takes a type from d's, which is called."""

    def forward(self, x):
        x = self.b(self.a(x).tanh()).tanh()
        x = F.linear(x, self.c.weight, self.c.bias).tanh().to(self.d.weight.dtype)
        return self.f(self.e(self.d(x).tanh()).tanh())


class Deciding(Past):
    """The same, and what is called depends on the input."""

    def forward(self, x):
        return super().forward(x) if x.shape[0] > 1 else self.f(self.b(self.a(x)))


@pytest.mark.parametrize(
    ("kind", "binary", "why"),
    [
        (Heads, "b", {"a": "first layer", "f": "not called by forward"} | dict.fromkeys("cde", "last layer")),
        (Inputs, "cde", {"a": "first layer", "b": "first layer", "f": "last layer"}),
        (Past, "bde", {"a": "first layer", "c": "its weight is read, it is not called", "f": "last layer"}),
        (Deciding, "bcde", {"a": f"first layer{UNSEEN}", "f": f"last layer{UNSEEN}"}),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_ends_are_where_the_network_says(kind, binary, why, training):
    model = kind().train(training)
    table = binviz.binarize_(model, "bnn")
    assert [row.name for row in table.rows if row.weights] == list(binary)
    assert {row.name: row.why for row in table.rows if row.why} == why
    assert list(layout_of(model.train(not training)).others) == list(binary)
    assert all(module.training is not training for module in model.modules())


class Remembers(Net):
    """Keeps what it has seen, and runs a network of its own in another thread."""

    def __init__(self):
        super().__init__()
        self.seen, self.register_ = None, []
        other = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
        self.other = lambda: self.register_.append(other(X))  # no module of this one

    def forward(self, x):
        thread = threading.Thread(target=self.other)
        thread.start()
        thread.join()
        self.seen = self.a(x)
        return self.f(self.b(self.seen))


def test_looking_leaves_nothing_behind():
    model = Remembers()
    assert list(layout_of(model).others) == ["b"]
    assert model.seen is None
    assert len(model.register_) == 2 and all(type(value) is torch.Tensor for value in model.register_)
    assert copy.deepcopy(nn.Linear(6, 6))(X).shape == (5, 6)


@pytest.mark.parametrize("use", [lambda model: model, copy.deepcopy], ids=["model", "copy"])
def test_a_forward_that_cannot_be_followed_and_goes_past_a_layer_is_refused_when_it_runs(use):
    model = Deciding()
    binviz.binarize_(model, "bnn")
    with pytest.raises(
        UserError, match=r"Deciding goes past its binary c, which was not called; .*filter_fn"
    ):
        use(model)(X)
    assert use(model)(X[:1]).shape == (1, 6)  # fewer layers, each one called: no fault
    binviz.binarize_(model, "bnn", lambda module, name: name != "c")
    assert use(model)(X).shape == (5, 6)


class Pictures(nn.Module):
    """The weight of a convolution is read."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(4))

    def forward(self, x):
        x = self.b(self.a(x)) if len(x) else x
        return self.d(F.conv2d(x, self.c.weight, padding=1))


def test_so_is_a_convolution():
    model = Pictures()
    binviz.binarize_(model, "xnor")
    with pytest.raises(UserError, match="Pictures goes past its binary c"):
        model(torch.randn(1, 3, 4, 4))


def test_a_weight_that_is_read_outside_of_a_pass_is_no_fault():
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(4)))
    binviz.binarize_(model, "bnn")
    (model(X).sum() + model[1].weight.square().sum()).backward()
    model.eval()(X)
    assert torch.equal(binviz.pack(model)(X), model(X))


@pytest.mark.parametrize("recipe", ["bnn", "bit-w1a1", "recu", "bivit-w1a1"])
def test_an_optimizer_from_before_trains_the_weights_and_not_what_is_new(models, recipe):
    model = models.tiny("bert")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    table = binviz.binarize_(model, recipe)
    held = {id(value) for group in optimizer.param_groups for value in group["params"]}
    parameters = dict(model.named_parameters())
    assert table.new == tuple(name for name, value in parameters.items() if id(value) not in held)
    assert (f"make the optimizer now: {len(table.new)} parameters are new" in str(table)) == bool(table.new)
    weights = [module.weight for module in model.modules() if isinstance(module, BinaryLinear)]
    assert weights and all(id(weight) in held for weight in weights)
    before = [weight.detach().clone() for weight in weights]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert not any(map(torch.equal, weights, before))
    optimizer.add_param_group({"params": [model.get_parameter(name) for name in table.new]})
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(parameters)
