"""Signs changed and flipped: counts, padding, undone bit for bit, and the predictions of the model with those signs."""

import copy

import numpy as np
import pytest
import torch

import binviz
from binviz import zoo
from binviz.analysis.signs import changed_signs, flipped, packed_layers, random_flips, scores_of_flips
from binviz.data import digits
from binviz.errors import UserError

NAME = "digits-vit.bit-w1a1"


@pytest.fixture(scope="module")
def pictures():
    return torch.as_tensor(digits.load("test")[0][:40])


def odd_model(recipe="bnn"):
    """Rows whose last words are not full."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(*[torch.nn.Linear(70, 70) for _ in range(4)]).eval()
    binviz.binarize_(model, recipe)
    return model


def bits_of(packed):
    return {path: layer.bits.numpy().copy() for path, layer in packed_layers(packed).items()}


def as_booleans(words, K):
    return np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")[:, :K].astype(bool)


@pytest.mark.parametrize("share", [0.0, 0.013, 0.5, 1.0])
def test_as_many_flips_as_asked_and_none_in_the_padding(share):
    packed = binviz.pack(odd_model(), fused=False)
    patch = random_flips(packed, share, seed=3)
    assert list(patch.words) == ["1", "2"]
    assert patch.count == 2 * round(share * 70 * 70)
    for words in patch.words.values():
        assert as_booleans(words, 128)[:, 70:].sum() == 0
        assert as_booleans(words, 70).sum() == round(share * 70 * 70)


def test_more_flips_hold_the_fewer_and_layers_do_not_depend_on_each_other():
    packed = binviz.pack(odd_model(), fused=False)
    few, many = (random_flips(packed, share, 1).words["2"] for share in (0.1, 0.3))
    assert (few & ~many).sum() == 0
    np.testing.assert_array_equal(random_flips(packed, 0.1, 1, ["2"]).words["2"], few)
    assert (random_flips(packed, 0.1, 2).words["2"] != few).any()


def test_twice_is_never_bit_for_bit():
    packed = binviz.pack(odd_model(), fused=False)
    before, words, x = bits_of(packed), bits_of(packed), torch.randn(5, 70)
    expected = packed(x)
    patch = random_flips(packed, 0.3)
    patch.apply_(words)
    differ = {path: np.bitwise_count(words[path] ^ before[path]).sum() for path in words}
    assert sum(differ.values()) == patch.count
    patch.apply_(words)
    with flipped(packed, patch):
        assert not torch.equal(packed(x), expected)
    with pytest.raises(RuntimeError), flipped(packed, patch):
        packed(torch.zeros(3))  # of another width
    for path, bits in bits_of(packed).items():
        np.testing.assert_array_equal(bits, before[path])
        np.testing.assert_array_equal(words[path], before[path])
    assert torch.equal(packed(x), expected)


@torch.no_grad()
def test_predictions_are_those_of_the_model_with_these_signs(pictures):
    """Of the float-unpacked model, whose weights are −1 and +1: some are negated one by one."""
    model = zoo.load(NAME)
    packed, twin = binviz.pack(model, fused=False), copy.deepcopy(model)
    patch = random_flips(packed, 0.1, seed=2)
    for path, words in patch.words.items():
        weight = twin.get_submodule(path).weight
        chosen = as_booleans(words, weight[0].numel()).reshape(weight.shape)
        weight[torch.from_numpy(chosen)] *= -1
    with flipped(packed, patch):
        got = packed(pixel_values=pictures).logits
    assert torch.equal(got, twin(pixel_values=pictures).logits)
    assert torch.equal(packed(pixel_values=pictures).logits, model(pixel_values=pictures).logits)
    assert (got.argmax(-1) != model(pixel_values=pictures).logits.argmax(-1)).any()


def test_signs_changed_since_the_start():
    """Of a student whose latent weights are known: signs are counted there."""
    torch.manual_seed(1)
    start = torch.nn.Sequential(*[torch.nn.Linear(70, 70) for _ in range(4)])
    student = copy.deepcopy(start)
    binviz.binarize_(student, "bit-w1a1")
    with torch.no_grad():
        student[1].weight[:7, :3].neg_()
    table = changed_signs(start, student, "bit-w1a1").set_index("name")
    assert table.loc["2", "changed"] == 0
    signs = [model[1].weight >= model[1].weight.mean() for model in (start, student)]
    assert table.loc["1", "changed"] == (signs[0] != signs[1]).sum() > 0
    assert table.loc["all", "share"] == table.loc["1", "changed"] / (2 * 70 * 70)


def test_the_bundled_pair_shares_most_of_its_signs():
    """The record of what notebook 07 and the dashboard show: a fact of the two files."""
    table = changed_signs(zoo.load("digits-vit.float"), zoo.load(NAME), "bit-w1a1").set_index("name")
    assert 0 < table.loc["all", "share"] < 0.5
    assert table["weights"].iloc[:-1].sum() == table.loc["all", "weights"]
    assert table.loc["layers.0.query", "layer"] == 0


@torch.no_grad()
def test_scores_of_flips(pictures):
    model = binviz.pack(zoo.load(NAME), fused=False)
    own = model(pixel_values=pictures).logits.argmax(-1)

    def kept(model):
        return float((model(pixel_values=pictures).logits.argmax(-1) == own).float().mean())

    told = []
    table = scores_of_flips(model, kept, [0, 0.5], seeds=2, progress=lambda *given: told.append(given))
    assert table[["share", "seed"]].values.tolist() == [[0, 0], [0.5, 0], [0.5, 1]]
    assert table.score[0] == 1 and table.flips[0] == 0
    assert table.score[1:].max() < 0.6 and table.flips[1] == table.flips[2] > 0
    assert [line for _, line in told][1] == "50 % of the signs flipped, seed 0" and told[0][0] == 0
    assert kept(model) == 1


def test_what_is_refused():
    packed, model = binviz.pack(odd_model(), fused=False), odd_model()
    with pytest.raises(UserError, match="fused=False"):
        random_flips(model, 0.1)
    with pytest.raises(UserError, match="fused=False"):
        random_flips(binviz.pack(zoo.load(NAME)), 0.1)
    with pytest.raises(UserError, match="0 to 1"):
        random_flips(packed, 10)
    with pytest.raises(UserError, match="no packed layer '7'"):
        random_flips(packed, 0.1, paths=["7"])
    layer = packed_layers(packed)["1"]
    with pytest.raises(ValueError, match="after the last"):
        layer.flip_(np.full(layer.bits.shape, 2**64 - 1, np.uint64))
    with pytest.raises(ValueError, match="shape"):
        layer.flip_(np.zeros((3, 2), np.uint64))
    other = torch.nn.Sequential(*[torch.nn.Linear(70, 70) for _ in range(5)])
    with pytest.raises(UserError, match="own start"):
        changed_signs(other, model, "bnn")
