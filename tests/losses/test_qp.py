"""Steps of a network of signs: of quadratic programs, of signs and towards signs, as the loop takes them."""

import math

import pytest
import torch

import binviz
from binviz import losses, tasks
from binviz.binarizers import sign
from binviz.errors import UserError
from binviz.experiments.qpsbgd import RECIPE
from binviz.losses.quadratic import agreement, exact
from binviz.networks import DigitsCNN, DigitsCNNConfig, SignMLP, SignMLPConfig
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig

TASK = tasks.get("tumours-3")
RATE = 0.25
MENDED = {"blind": False, "first_only": False}
ONE_STEP = TrainConfig(
    1, RATE, optimizer="plain-sgd", schedule="constant", warmup=0.0, weight_decay=0.0, clip=1e9
)


def net(seed=0, recipe=RECIPE):
    model = TASK.start("mlp-5-2", seed)[0]
    if recipe:
        binviz.binarize_(model, recipe)
    return model


def weights(model):
    return [layer.linear.weight.detach().clone() for layer in model.layers]


def step(loss, **options):
    """The weights before and behind one step of the loop, and its batch."""
    model, problem = net(), TASK.problem(None, 20, 0)
    before = weights(model)
    fit(model, problem.batch_of, losses.get(loss, **options), ONE_STEP)
    return before, weights(model), problem.batch_of(0)


def by_hand(before, batch):
    """Inputs, and the gradient by every layer's signs, of the formulas: (x, gamma) for each layer."""
    signs, sums = [batch["bits"]], []
    for weight in before:
        sums.append(signs[-1] @ (2.0 * (weight >= 0) - 1).T)
        signs.append(2.0 * (sums[-1] >= 0) - 1)
    # cross-entropy of the logits (0, o): sigma(o) - label
    gamma = (torch.sigmoid(signs[-1]) - batch["labels"][:, None]) / len(batch["labels"])
    found = []
    for i in reversed(range(len(before))):
        found.insert(0, (signs[i], gamma))
        gamma = (gamma * (sums[i].abs() <= 1)) @ (2.0 * (before[i] >= 0) - 1)
    return found


def test_a_step_is_the_best_signs_of_every_layer():
    before, after, batch = step("qp")
    for was, now, (x, gamma) in zip(before, after, by_hand(before, batch), strict=True):
        v, moved = (now - was) / RATE, gamma.any(0)
        assert moved.any() and not (now - was)[~moved].any()
        torch.testing.assert_close(v[moved].abs(), torch.ones_like(v[moved]))
        best = exact(x, -gamma)
        torch.testing.assert_close(agreement(x, -gamma, v.round())[moved], agreement(x, -gamma, best)[moved])


def test_without_a_solver_a_step_is_the_signs_of_the_gradient_by_the_outputs_signs():
    before, after, batch = step("qp", tried=0, sweeps=0)
    for was, now, (x, gamma) in zip(before, after, by_hand(before, batch), strict=True):
        aim = -gamma.T @ x
        clear = aim.abs() > 1e-6  # elsewhere rounding decides
        torch.testing.assert_close((now - was)[clear], RATE * aim.sign()[clear])


def test_other_steps():
    for loss, of in (("labels", lambda grad: grad), ("sign-sgd", torch.sign)):
        before, after, batch = step(loss)
        for was, now, (x, gamma), (weight, total) in zip(
            before, after, by_hand(before, batch), _windowed(before, batch), strict=True
        ):
            assert x.shape[0] == gamma.shape[0] and weight is was
            torch.testing.assert_close(now, was - RATE * of(total), atol=1e-6, rtol=1e-5)


def _windowed(before, batch):
    """Each weight and the gradient by it: only sums of at most 1 let anything through."""
    for weight, (x, gamma) in zip(before, by_hand(before, batch), strict=True):
        sums = x @ (2.0 * (weight >= 0) - 1).T
        yield weight, (gamma * (sums.abs() <= 1)).T @ x


def test_prox_quant_learns_by_float_weights_and_comes_nearer_to_signs():
    before, after, batch = step("prox-quant", shrink=0.125)
    model = net(recipe=None)
    loss = losses.get("labels")(model, batch)
    loss.backward()
    for layer, was, now in zip(model.layers, before, after, strict=True):
        for old, grad, new in zip(
            was.flatten().tolist(),
            layer.linear.weight.grad.flatten().tolist(),
            now.flatten().tolist(),
            strict=True,
        ):
            moved = old - RATE * grad
            aim = 1.0 if moved >= 0 else -1.0
            away = moved - aim
            wanted = aim + math.copysign(max(abs(away) - 0.125, 0.0), away)
            assert new == pytest.approx(wanted, abs=1e-5)
    student = net()
    own = [layer.linear.weight_binarizer for layer in student.layers]
    losses.get("prox-quant")(student, batch)
    assert [layer.linear.weight_binarizer for layer in student.layers] == own
    with pytest.raises(KeyError):
        losses.get("prox-quant")(student, {"bits": batch["bits"]})
    assert [layer.linear.weight_binarizer for layer in student.layers] == own


def test_the_official_ten_layers_do_not_see_what_they_are_told_and_move_one():
    x, y = sign(torch.randn(16, 9)), torch.randn(16, 4)
    blind, sees = (losses.get("qp-official", blind=blind).signs for blind in (True, False))
    for other in (-y, 0 * y, 100 * y):
        assert torch.equal(blind(x, other), blind(x, y))
    assert not torch.equal(sees(x, -y), sees(x, y)) and torch.equal(sees(x, y), exact(x, y))
    for options, moved in (({}, [0]), ({"first_only": False}, [0, 1, 2])):
        before, after, _ = step("qp-official", **options)
        pairs = zip(before, after, strict=True)
        assert [i for i, (was, now) in enumerate(pairs) if not torch.equal(was, now)] == moved
    mended, own = (step(name, **of)[1] for name, of in (("qp-official", MENDED), ("qp", {})))
    assert all(map(torch.equal, mended, own))


def test_no_hook_stays():
    model, batch = net(), TASK.problem(None, 20, 0).batch_of(0)
    before = [len(module._forward_hooks) for module in model.modules()]
    loss = losses.get("qp")
    loss(model, batch).backward()
    with pytest.raises(RuntimeError, match=r"size of tensor|shapes cannot be multiplied"):
        loss(model, batch | {"bits": batch["bits"][:, :2]})
    assert [len(module._forward_hooks) for module in model.modules()] == before


def test_what_cannot_be_solved():
    model = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    pictures = {"pixel_values": torch.randn(2, 1, 8, 8), "labels": torch.tensor([1, 2])}
    with pytest.raises(UserError, match="layers that answer in signs, and a DigitsCNN has none"):
        fit(model, lambda step: pictures, losses.get("qp"), ONE_STEP)
    for options, message in (
        ({"tried": 21}, "tried must be from 0 to 20 inputs, not 21; wider layers are annealed"),
        ({"sweeps": -1}, "sweeps must be from 0 to 10000"),
    ):
        with pytest.raises(UserError, match=message):
            losses.get("qp", **options)
    with pytest.raises(UserError, match="shrink must be 0 or more, not nan"):
        losses.get("prox-quant", shrink=float("nan"))


def test_a_network_of_signs_is_packed_and_saved(tmp_path):
    model = SignMLP(SignMLPConfig(inputs=70, width=9, depth=2, num_labels=2))
    binviz.binarize_(model, RECIPE)
    bits = 2.0 * (torch.randn(11, 70) > 0) - 1
    wanted = model.eval()(bits=bits).logits
    assert wanted[:, 1].abs().eq(1).all() and not wanted[:, 0].any()
    assert torch.equal(binviz.pack(model)(bits=bits).logits, wanted)
    assert torch.equal(binviz.load(binviz.save(model, tmp_path / "model"))(bits=bits).logits, wanted)
