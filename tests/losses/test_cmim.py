"""CMIM's contrast: golden vectors of the official functions, projections, memories, and runs that go on."""

import pytest
import torch

from binviz import losses, tasks
from binviz.errors import UserError
from binviz.losses.cmim import exponentials, head_of
from binviz.losses.labels import label_loss
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.training import augment
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig

TARGETS = ("labels", "index", "others")


def net(seed=0):
    torch.manual_seed(seed)
    return DigitsCNN(DigitsCNNConfig(width=4, depth=1))


def made(**options):
    return losses.LossChoice("cmim", {"examples": 1347, "size": 8} | options).make(net(), TARGETS)


def test_golden_memory():
    """What the official code calls s is the float side."""
    loss = made(examples=4, size=2)
    memories = [[[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], [[0, 1], [1, 0], [0.8, 0.6], [0, -1]]]
    loss.memories.copy_(torch.tensor(memories))
    u, v = torch.tensor([[0.6, 0.8], [1, 0]]), torch.tensor([[0, 1], [0.8, -0.6]])
    index = torch.tensor([[0, 1, 3], [2, 0, 1]])
    out = [exponentials(x, loss.memories[1 - i], index) for i, x in enumerate((u, v))]
    found = loss.contrasted(u, v, index)
    assert loss.norms.tolist() == pytest.approx([18928.539, 18659.588], rel=1e-6)
    wanted = [[0.157485, 0.021313, 0], [0.157485, 0.000053, 1.163664]]
    torch.testing.assert_close(out[0] / loss.norms[0], torch.tensor(wanted), atol=1e-6, rtol=1e-5)
    wanted = [[0.000054, 1.180437, 0.159755], [0, 0.159755, 0]]
    torch.testing.assert_close(out[1] / loss.norms[1], torch.tensor(wanted), atol=1e-6, rtol=1e-5)
    assert found.item() == pytest.approx(16.075485, rel=1e-5)
    after = [[[0.894427, 0.447214], [0, 1], [0, 0], [0.6, 0.8]], [[0, 1], [1, 0], [1, 0], [0, -1]]]
    torch.testing.assert_close(loss.memories, torch.tensor(after), atol=1e-6, rtol=1e-5)
    # The norms stay, and in evaluation the memories do
    loss.eval().contrasted(v, u, index)
    torch.testing.assert_close(loss.memories, torch.tensor(after), atol=1e-6, rtol=1e-5)
    assert loss.norms[0] == pytest.approx(18928.539, rel=1e-6)


def numbered(name="numbered"):
    return augment.get(name)(tasks.get("digits").problem(None, 16, 0), 0, None)


@pytest.mark.parametrize(("name", "count", "steps"), [("numbered", 1347, 84), ("numbered-tenth", 8 * 16, 8)])
def test_others_are_of_other_classes(name, count, steps):
    plain = tasks.get("digits").problem(None, 16, 0)
    problem, again, classes = numbered(name), numbered(name), {}
    for step in range(steps):
        batch = problem.batch_of(step)
        assert torch.equal(batch["labels"], plain.batch_of(step)["labels"])
        classes |= dict(zip(batch["index"].tolist(), batch["labels"].tolist(), strict=True))
    assert set(classes) <= set(range(count)) and len(classes) == steps * 16
    batch, same = problem.batch_of(5), again.batch_of(5)
    assert torch.equal(batch["others"], same["others"])
    assert batch["others"].shape == (16, round(count * 4096 / 50_000))
    for label, row in zip(batch["labels"].tolist(), batch["others"].tolist(), strict=True):
        assert len(set(row)) == len(row) and label not in {classes[i] for i in row if i in classes}
    later = problem.batch_of(8 + 5)
    assert torch.equal(later["index"], batch["index"]) == (name == "numbered-tenth")
    assert not torch.equal(later["others"], batch["others"])


@pytest.mark.parametrize("trained", [True, False])
def test_a_run_goes_on_to_the_same_numbers(tmp_path, trained):
    problem, config = numbered(), TrainConfig(6, 1e-2, batch_size=16, checkpoint_every=2)
    whole, loss = net(1), made(trained=trained)
    start = made(trained=trained).state_dict()
    fit(whole, problem.batch_of, loss, config)
    moved = {name for name, value in loss.state_dict().items() if not torch.equal(value, start[name])}
    projections = {f"projections.{i}.{part}" for i in range(2) for part in ("weight", "bias")}
    assert moved == {"memories", "norms"} | (projections if trained else set())

    def killed(step):
        if step == 5:
            raise RuntimeError("killed")
        return problem.batch_of(step)

    with pytest.raises(RuntimeError, match="killed"):
        fit(net(1), killed, made(trained=trained), config, tmp_path / "run")
    again, other = net(1), made(trained=trained)
    fit(again, problem.batch_of, other, config, tmp_path / "run")
    for one, two in ((whole, again), (loss, other)):
        assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))


def test_the_contrast_teaches_the_student_and_not_the_teacher():
    loss, student = made(weight=3.2), net(1)
    batch = numbered().batch_of(0)
    plain = label_loss(student(batch["pixel_values"]).logits, batch["labels"])
    value = loss(student, batch)
    assert value.isfinite() and value > plain
    (value - plain).backward()
    assert student.blocks[0].conv.weight.grad.any()
    assert all(parameter.grad is None for parameter in loss.teacher.parameters())
    assert not head_of(student)._forward_pre_hooks


def test_what_it_cannot_do_without():
    batch = numbered().batch_of(0)
    with pytest.raises(UserError, match="give cmim the number of them as its option examples, not 20"):
        made(examples=20)(net(), batch)
    with pytest.raises(UserError, match='augmented by "numbered"'):
        made()(net(), {name: value for name, value in batch.items() if name != "others"})
    with pytest.raises(UserError, match="does not tell which examples"):
        augment.numbered(tasks.get("points").problem(None, 16, 0), 0)
    with pytest.raises(UserError, match="last linear layer is given; Conv2d has none"):
        losses.get("cmim", torch.nn.Conv2d(1, 1, 1))
