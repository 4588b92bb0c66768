"""Weights with a scale for each group of a row: against one row for each group, packed to the bit, saved, counted."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import binviz
from binviz import costs, recipes
from binviz.binarizers import InGroups, check_binarizer, get
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.packed import pack
from binviz.recipes import Choice, Recipe
from binviz.saving.packed import packed_bytes

WEIGHTS = ["fdb-weight", "ternary-weight", "xnor-weight", "bivit-weight"]
ACTIVATIONS = {
    "float": None,
    "signs": ("bnn", {}),
    "rows": ("xnor-activation", {}),
    "4 bits": ("elastic-signed", {"bits": 4}),
    "unsigned": ("elastic-unsigned", {"bits": 2}),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_contract(name):
    inner = get(name, features=24, channel_axis=0)
    assert "weight" in check_binarizer(InGroups(inner, 4), inputs=torch.randn(8, 12))


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_group_is_a_row(name):
    w, incoming = torch.randn(5, 12), torch.randn(5, 12)
    one, other = w.clone().requires_grad_(), w.clone().requires_grad_()
    grouped, rows = (
        InGroups(get(name, features=15, channel_axis=0), 4),
        get(name, features=15, channel_axis=0),
    )
    found, wanted = grouped(one), rows(other.view(15, 4)).view(5, 12)
    assert torch.equal(found, wanted)
    found.backward(incoming)
    wanted.backward(incoming)
    assert torch.equal(one.grad, other.grad)
    assert grouped.scale_count(w.shape) == 3 * rows.scale_count(w.shape)


def linear(name, activation, K=15, N=5, group=5):
    torch.manual_seed(0)
    chosen = ACTIVATIONS[activation]
    made = chosen and get(chosen[0], features=K, **chosen[1])
    inner = get(name, features=N * K // group, channel_axis=0)
    return BinaryLinear(K, N, weight=InGroups(inner, group), activation=made)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", WEIGHTS)
def test_sums_of_groups(name, activation):
    for sizes in ({}, {"K": 192, "N": 70, "group": 64}, {"K": 65, "N": 1, "group": 65}):
        layer = linear(name, activation, **sizes)
        x = torch.randn(4, layer.in_features)
        y = layer(x)
        given = x if layer.activation_binarizer is None else layer.activation_binarizer(x)
        exact = given.double() @ layer.weight_binarizer(layer.weight).double().T + layer.bias.double()
        torch.testing.assert_close(y.double(), exact, rtol=1e-4, atol=1e-4)
        y.sum().backward()
        assert layer.weight.grad.any()
        packed = pack(layer.eval())
        with torch.no_grad():
            for rows in (x, x[:1], x[:0]):
                if activation == "float":
                    torch.testing.assert_close(packed(rows), layer(rows), rtol=1e-4, atol=1e-4)
                else:
                    assert torch.equal(packed(rows), layer(rows))


def test_codes_with_a_nan_harm_their_own_row():
    layer = linear("fdb-weight", "4 bits")
    x = torch.randn(3, 15)
    layer(x)
    x[1, 7] = float("nan")
    with torch.no_grad():
        found, wanted = pack(layer.eval())(x), layer(x)
    assert torch.equal(found[::2], wanted[::2]) and found[1].isnan().all()


@pytest.mark.parametrize("activation", [None, Choice("elastic-signed", {"bits": 2})])
def test_a_decoder_is_packed_saved_and_counted(activation, tmp_path):
    recipe = Recipe("in-groups", Choice("fdb-weight", {"group": 8}), activation=activation)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "vocab_size": 40}
    model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=2, pad_token_id=0, **sizes)).eval()
    table, inputs = binviz.binarize_(model, recipe), {"input_ids": torch.tensor([[5, 9, 23, 7, 11, 30]])}
    model(**inputs)
    grouped = [row for row in table.rows if row.weight == "fdb-weight in groups of 8"]
    assert len(grouped) > 5 and "in groups of 8" in str(table)
    with torch.no_grad():
        wanted = model(**inputs).logits
        close = {"rtol": 0, "atol": 0} if activation else {"rtol": 1e-4, "atol": 1e-5}
        packed = binviz.pack(model)
        torch.testing.assert_close(packed(**inputs).logits, wanted, **close)
        size = binviz.save_packed(packed, tmp_path / "packed.safetensors")
        again = binviz.load(tmp_path / "packed.safetensors")
        assert torch.equal(again(**inputs).logits, wanted)
        torch.testing.assert_close(binviz.pack(again)(**inputs).logits, wanted, **close)
        assert binviz.save_packed(again, tmp_path / "again.safetensors") == size
        binviz.save(model, tmp_path / "folder")
        assert torch.equal(binviz.load(tmp_path / "folder")(**inputs).logits, wanted)
    assert costs.of(model, tokens=8, rule="everything").bytes == packed_bytes(model) == packed_bytes(again)
    with pytest.raises(UserError, match="cannot be trained on"):
        again.train()(**inputs)
    # Back to floats, what was stored is kept
    layer = again.eval().model.layers[0].mlp.up_proj
    decoded = layer.weight_binarizer(layer.weight).detach()
    binviz.binarize_(again, recipe, lambda module, name: not name.endswith("fc1"))
    assert torch.equal(again.model.layers[0].mlp.up_proj.weight, decoded)


def test_a_new_recipe_keeps_what_is_alike():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(16, 4), torch.nn.Linear(4, 2))
    recipe, others = recipes.get("db-llm").but("g", weight=Choice("fdb-weight", {"group": 8})), (4, 5, None)
    binviz.binarize_(net, recipe, lambda module, name: name == "1")
    net[1].weight_binarizer.inner.alpha_1.data.fill_(3)
    binviz.binarize_(net, recipe, lambda module, name: name == "1")
    assert (net[1].weight_binarizer.inner.alpha_1 == 3).all()
    for group in others:
        options = {} if group is None else {"group": group}
        binviz.binarize_(net, Recipe("h", Choice("fdb-weight", options)), lambda module, name: name == "1")
        most = net[1].weight.abs().view(4, -1, 4 if group == 4 else 16).amax(-1).flatten()
        scales = getattr(net[1].weight_binarizer, "inner", net[1].weight_binarizer)
        assert torch.equal(scales.alpha_1, most)


def test_refused():
    inner = get("fdb-weight", channel_axis=0)
    with pytest.raises(UserError, match=r"BinaryConv2d .* has no groups of 2"):
        BinaryConv2d(4, 4, 3, weight=InGroups(inner, 2), activation=None)
    with pytest.raises(UserError, match=r"a BinaryLinear with a weight of \(3, 7\) has no groups of 2"):
        BinaryLinear(7, 3, weight=InGroups(inner, 2), activation=None)
    with pytest.raises(UserError, match="no rows of whole groups of 2"):
        InGroups(inner, 2)(torch.ones(3, 7))
    with pytest.raises(UserError, match="BNN has no scale for each row"):
        Recipe("wrong", Choice("bnn", {"group": 64}))
    with pytest.raises(UserError, match="activation has a group; only rows of weights"):
        Recipe("wrong", Choice("fdb-weight"), activation=Choice("bnn", {"group": 64}))
    for group in (0, -1, 1.5, "64", True):
        with pytest.raises(UserError, match="a group is a whole number of weights, 1 or more"):
            Recipe("wrong", Choice("fdb-weight", {"group": group}))
