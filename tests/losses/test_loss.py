"""What every loss owes: options that are checked and whole, a teacher apart, parameters of its own that learn."""

import pickle

import pytest
import torch
from torch import nn

from binviz import losses
from binviz.errors import UserError
from binviz.losses import LossChoice
from binviz.losses import loss as room
from binviz.networks import DigitsCNN, DigitsCNNConfig, UNet, UNetConfig
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig


def net():
    torch.manual_seed(0)
    return DigitsCNN(DigitsCNNConfig(width=4, depth=1))


def batch(step):
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(4, 1, 8, 8, generator=generator)
    labels = torch.randint(10, (4,), generator=generator)
    return {"pixel_values": images, "labels": labels, "index": torch.arange(4)}


#: On words, see tests/tasks/test_language.py; of a U-Net, see test_low_rank.py; on maps, see test_mtdp.py and
#: test_dbnet.py; with a memory, see test_cmim.py.
OTHERWISE = {"mlm", "bipft", "low-rank-mimicking", "two-tasks", "bi-mtdp", "dbnet", "cmim"}


@pytest.mark.parametrize("name", [name for name in losses.names() if name not in OTHERWISE])
def test_every_loss_is_a_finite_scalar_that_teaches(name):
    student, teacher = net(), net()
    loss = losses.LossChoice(name).make(teacher, targets=("labels", "index"))
    value = loss(student, batch(0))
    value.backward()
    assert value.shape == () and torch.isfinite(value)
    assert student.blocks[0].conv.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert list(loss.parameters()) == [] and loss.state_dict() == {} and not teacher.training


@pytest.mark.parametrize("name", losses.names())
def test_a_choice_says_every_option_and_travels(name):
    choice = LossChoice(name)
    assert pickle.loads(pickle.dumps(choice)) == choice
    assert LossChoice(name=name, options={k: v for k, v in choice.to_dict().items() if k != "name"})
    teacher = UNet(UNetConfig()) if name == "low-rank-mimicking" else net()
    options = choice.make(teacher).options
    for option in vars(options):
        with pytest.raises(AttributeError):
            setattr(options, option, 3.0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bits", {}, "no loss 'bits'"),
        ("bit", {"temperature": 2.0}, "the loss 'bit' does not take these options"),
        ("labels", {"label_weight": 1.0}, "the loss 'labels' does not take these options"),
    ],
)
def test_what_is_no_loss(name, options, message):
    with pytest.raises(UserError, match=message):
        LossChoice(name, options)


@pytest.mark.parametrize("name", ["bit", "bibert"])
def test_a_loss_that_learns_from_a_teacher_needs_one(name):
    with pytest.raises(UserError, match="learns from a teacher; give it one"):
        losses.get(name)


class Headed(losses.Loss):
    """A head of its own on the logits, as a contrastive loss has one; and one that is not trained."""

    def __init__(self, options, teacher=None, targets=("labels",)):
        super().__init__(options, teacher, targets)
        self.head, self.still = nn.Linear(10, 10), nn.Linear(1, 1).requires_grad_(False)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, student, batch):
        self.seen += 1
        logits = self.head(student(**losses.inputs_of(batch, self.targets)).logits)
        return nn.functional.cross_entropy(logits, batch["labels"])


def headed():
    torch.manual_seed(1)
    return Headed(Headed.Options(), targets=("labels", "index"))


@pytest.mark.parametrize("optimizer", ["adamw", "bert-adam"])
def test_parameters_of_a_loss_are_trained_and_check_pointed(tmp_path, optimizer):
    config = TrainConfig(8, 1e-2, checkpoint_every=3, optimizer=optimizer)
    whole, loss = net(), headed()
    fit(whole, batch, loss, config)
    assert not torch.equal(loss.head.weight, headed().head.weight) and not loss.training
    assert torch.equal(loss.still.weight, headed().still.weight) and loss.seen == 8

    def killed(step):
        if step == 5:
            raise RuntimeError("killed")
        return batch(step)

    with pytest.raises(RuntimeError, match="killed"):
        fit(net(), killed, headed(), config, tmp_path / "run")
    again, other = net(), headed()
    fit(again, batch, other, config, tmp_path / "run")
    for one, two in ((whole, again), (loss, other)):
        assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))


def test_a_name_is_given_once():
    with pytest.raises(UserError, match="a loss named 'bit' exists already"):
        room.register("bit")(Headed)
