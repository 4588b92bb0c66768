"""Defects of the papers' official code, each with a test that would have caught it."""

import copy

import pytest
import torch

from binviz.binarizers import get, names
from binviz.binarizers.conformance import sample


def make(name, **options):
    binarizer = get(name, features=8, **options)
    return binarizer, sample(binarizer.channel_axis, 8)


@pytest.mark.parametrize("channel_axis", [-1, 1])
def test_reactnet_threshold_moves_the_code(channel_axis):
    """BiBench's ReActLinear takes sign(input): no threshold ever changes its output."""
    binarizer = get("reactnet-activation", features=8, channel_axis=channel_axis)
    x = sample(channel_axis, 8)
    before = binarizer(x)
    binarizer.threshold.data[3] = 10
    changed = (binarizer(x) != before).movedim(channel_axis, 0)
    assert changed[3].any()
    assert not changed[[0, 1, 2, 4, 5, 6, 7]].any()
    assert (binarizer(x).movedim(channel_axis, 0)[3] == 1).all()


def test_bibert_attention_passes_a_gradient_to_query_and_key():
    """BiBench's binarizer of the attention map ends its backward with a bare return."""
    query, key, value = torch.randn(3, 2, 5, 4).unbind()
    query.requires_grad_()
    key.requires_grad_()
    probs = get("bibert-attention")(query @ key.transpose(1, 2) / 2)
    (probs @ value).sum().backward()
    assert query.grad.any()
    assert key.grad.any()


def test_no_parameter_is_born_in_the_first_forward():
    """BiBench's FDAConv2d has 4 parameters before its first forward and 6 after."""
    for name in names():
        binarizer, x = make(name)
        before = [id(parameter) for parameter in binarizer.parameters()]
        binarizer.train()(x)
        assert [id(parameter) for parameter in binarizer.parameters()] == before, name


def test_incoming_gradient_is_not_edited():
    """BiBench's BNN zeroes entries of the gradient it receives."""
    for name in names():
        binarizer, x = make(name)
        incoming = torch.ones_like(x)
        binarizer.bases(x.requires_grad_())[0].q.backward(incoming)
        assert (incoming == 1).all(), name


@pytest.mark.parametrize(
    "name", ["elastic-signed", "elastic-unsigned", "bivit-weight", "recu-weight", "fdb-weight"]
)
def test_start_from_data_survives_saving(name):
    """BiT and BiViT keep "has started" in a Python attribute, which a state dict loses."""
    binarizer, x = make(name)
    assert not binarizer.initialized
    binarizer(x)
    assert binarizer.initialized
    loaded, _ = make(name)
    loaded.load_state_dict(binarizer.state_dict())
    assert torch.equal(loaded(9 * x), binarizer(9 * x))
    for mine, its in zip(loaded.parameters(), binarizer.parameters(), strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize("name", ["elastic-signed", "bivit-weight", "recu-weight"])
def test_saved_before_the_first_forward(name):
    """BiViT saved before its first forward has zero scales; here the loaded copy starts like the original."""
    binarizer, x = make(name)
    state = copy.deepcopy(binarizer.state_dict())
    used, _ = make(name)
    used(5 * x)
    used.load_state_dict(state)
    assert torch.equal(used(x), binarizer(x))


def test_alpha_that_learned_the_value_one_is_kept():
    """BiT takes alpha == 1.0 for a mark that it has not started."""
    binarizer, x = make("elastic-signed")
    binarizer(x)
    binarizer.alpha.data.fill_(1.0)
    binarizer(5 * x)
    assert binarizer.alpha == 1


def test_two_times_and_four_times_the_mean_magnitude():
    x = torch.rand(64, 8) * 2 - 1
    signed, unsigned = get("elastic-signed"), get("elastic-unsigned")
    signed(x)
    unsigned(x.abs())
    assert signed.alpha.item() == pytest.approx(2 * x.abs().mean().item())
    assert unsigned.alpha.item() == pytest.approx(4 * x.abs().mean().item())


def test_official_start_kills_a_uniform_input_and_the_papers_does_not():
    """4 x the mean puts the switch of uniform(0, 1) at 1; the paper's optimum puts it at 3/8."""
    x = torch.linspace(0, 1, 1001)
    assert not get("elastic-unsigned").encode(x).q.any()
    assert get("elastic-unsigned", init="paper").encode(x).q.mean().item() == pytest.approx(0.625, abs=0.01)


def test_guarded_alpha_still_learns():
    binarizer, x = make("elastic-signed")
    binarizer(x)
    binarizer.alpha.data.fill_(-0.5)
    out = binarizer(x)
    assert out.abs().max().item() == pytest.approx(1e-5)
    (out * x).sum().backward()
    assert binarizer.alpha.grad != 0


def test_several_bits_do_not_depend_on_the_batch_minimum():
    """BiT's unsigned 2- and 4-bit subtract the smallest entry of the batch; ours only if asked to."""
    x = torch.rand(4, 8)
    far = torch.cat([x, torch.full((1, 8), -50.0)])
    plain, shifted = get("elastic-unsigned", bits=2), get("elastic-unsigned", bits=2, subtract_min=True)
    for binarizer in (plain, shifted):
        binarizer.initialize(x)
    assert torch.equal(plain(x), plain(far)[:4])
    assert not torch.equal(shifted(x), shifted(far)[:4])
    assert shifted.shifted
    assert not plain.shifted


def test_official_react_and_bibert_scale_is_detached():
    """The scaled value's gradient is the clipped one, not that of the mean magnitude."""
    weight = torch.full((2, 8), 0.25, requires_grad=True)
    get("bireal-weight")(weight).sum().backward()
    assert torch.allclose(weight.grad, torch.ones(2, 8))


def test_a_row_of_zeros_keeps_finite_gradients():
    for name in names("*-weight"):
        weight = torch.zeros(8, 4, requires_grad=True)
        out = get(name, features=8)(weight)
        out.sum().backward()
        assert out.isfinite().all(), name
        assert weight.grad.isfinite().all(), name
