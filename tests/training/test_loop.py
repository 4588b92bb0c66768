"""The loop: a killed run goes on to the same numbers, and whatever stops one leaves a way on."""

import copy
import errno
import functools
import math
import signal
import threading
import warnings
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import losses
from binviz.errors import UserError
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.training import checkpoint
from binviz.training.loop import fit, held_interrupts, parameter_groups
from binviz.training.settings import TrainConfig, rate

STEPS = 12
CONFIG = TrainConfig(steps=STEPS, lr=2e-3, checkpoint_every=3)
LABELS = losses.get("labels")


def bert(recipe="bit-w1a1", dropout=0.2):
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=16,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
    )
    if recipe:
        binviz.binarize_(model, recipe)
    return model


def cnn(recipe="recu"):
    torch.manual_seed(0)
    model = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    binviz.binarize_(model, recipe)
    return model


def sentences(step):
    generator = torch.Generator().manual_seed(step)
    ids = torch.randint(5, 40, (4, 6), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, 0] % 2}


def images(step):
    generator = torch.Generator().manual_seed(step)
    return {
        "pixel_values": torch.randn(4, 1, 8, 8, generator=generator),
        "labels": torch.randint(10, (4,), generator=generator),
    }


RUNS = {
    "bert with dropout": (bert, sentences, LABELS, CONFIG),
    "bert, fda": (lambda: bert("fda"), sentences, LABELS, CONFIG),
    "bert in bf16": (
        bert,
        sentences,
        LABELS,
        TrainConfig(STEPS, 2e-3, checkpoint_every=3, precision="bf16"),
    ),
    "bert, distilled": (bert, sentences, losses.get("bit", bert(None)), CONFIG),
    "cnn with batch norm and a schedule": (cnn, images, LABELS, CONFIG),
}


def failing(batch_of, at, action):
    """batch_of, but at one step something happens first."""

    def batch(step):
        if step == at:
            action()
        return batch_of(step)

    return batch


def killed():
    raise RuntimeError("killed")


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


@functools.cache
def whole(name):
    """The model of a run that nothing broke off, and its history."""
    make, batch_of, loss_of, config = RUNS[name]
    model = make()
    return model, fit(model, batch_of, loss_of, config)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path, name):
    make, batch_of, loss_of, config = RUNS[name]
    path, (unbroken, wanted) = tmp_path / "run.checkpoint", whole(name)
    with pytest.raises(RuntimeError, match="killed"):
        fit(make(), failing(batch_of, 7, killed), loss_of, config, path)
    model, seen = make(), []
    found = fit(model, lambda step: seen.append(step) or batch_of(step), loss_of, config, path)
    assert seen == list(range(6, STEPS))
    assert same(model, unbroken)
    assert (found.steps, found.loss) == (wanted.steps, wanted.loss)
    assert found.steps == list(range(1, STEPS + 1))


@pytest.mark.parametrize("name", ["bert with dropout", "cnn with batch norm and a schedule"])
def test_ctrl_c_finishes_the_step_and_saves(tmp_path, name):
    """Whatever the run is of: what a checkpoint holds of each is looked at above."""
    make, batch_of, loss_of, config = RUNS[name]
    path, (unbroken, wanted) = tmp_path / "run.checkpoint", whole(name)
    before = signal.getsignal(signal.SIGINT)
    interrupt = failing(batch_of, 7, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(UserError, match=r"^stopped at step 8 of 12; the same command goes on from here$"):
        fit(make(), interrupt, loss_of, config, path)
    assert signal.getsignal(signal.SIGINT) is before
    model, seen = make(), []
    found = fit(model, lambda step: seen.append(step) or batch_of(step), loss_of, config, path)
    assert seen == list(range(8, STEPS))
    assert same(model, unbroken)
    assert (found.steps, found.loss, found.accuracy) == (wanted.steps, wanted.loss, wanted.accuracy)
    assert len(found.accuracy) == len(found.steps)


def test_ctrl_c_where_nothing_is_saved():
    with pytest.raises(UserError, match=r"^stopped at step 3 of 12$"):
        fit(bert(), failing(sentences, 2, lambda: signal.raise_signal(signal.SIGINT)), LABELS, CONFIG)


def test_ctrl_c_in_the_last_step_stops_nothing():
    history = fit(
        bert(), failing(sentences, STEPS - 1, lambda: signal.raise_signal(signal.SIGINT)), LABELS, CONFIG
    )
    assert history.steps[-1] == STEPS


def test_a_second_ctrl_c_interrupts():
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(bert(), failing(sentences, 2, twice), LABELS, CONFIG)
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_trains_without_signals():
    found = []

    def train():
        with held_interrupts() as interrupts:
            found.append(interrupts)
        found.append(fit(bert(), sentences, LABELS, CONFIG).steps[-1])

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [[], STEPS]


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    unbroken, path = bert(), tmp_path / "run.checkpoint"
    fit(unbroken, sentences, LABELS, CONFIG)
    save_file, saves = checkpoint.save_file, []

    def fills_up(tensors, place, metadata):
        saves.append(place)
        if len(saves) == 3:
            place.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, place, metadata)

    monkeypatch.setattr(checkpoint, "save_file", fills_up)
    with pytest.raises(UserError, match="No space left on device; the previous file is unharmed"):
        fit(bert(), sentences, LABELS, CONFIG, path)
    assert list(tmp_path.iterdir()) == [path]
    model, seen = bert(), []
    fit(model, lambda step: seen.append(step) or sentences(step), LABELS, CONFIG, path)
    assert seen[0] == 6
    assert same(model, unbroken)


@pytest.mark.slow
def test_two_processes_go_on_to_the_same_numbers(tmp_path, launch):
    """With dropout, and Ctrl-C in one of the two. One process alone does not go on from where two stopped."""
    script = tmp_path / "script.py"
    script.write_text(f"""
import signal, sys
from functools import partial
from pathlib import Path
from accelerate import Accelerator
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_loop import CONFIG, UserError, bert, failing, fit, same, sentences, LABELS
path, second = Path({str(tmp_path / "run.checkpoint")!r}), Accelerator().process_index == 1
student = partial(bert, "bibert", dropout=0.5)
unbroken, resumed = student(), student()
wanted = fit(unbroken, sentences, LABELS, CONFIG)
interrupt = failing(sentences, 2 * 6 + 1, lambda: second and signal.raise_signal(signal.SIGINT))
try:
    fit(student(), interrupt, LABELS, CONFIG, path)
except UserError as error:
    stopped = str(error)
found = fit(resumed, sentences, LABELS, CONFIG, path)
if not second:
    print(stopped, same(unbroken, resumed), found.loss == wanted.loss, sep="\\n")
""")
    stopped, *equal = launch(str(script)).splitlines()
    assert stopped == "stopped at step 7 of 12; the same command goes on from here"
    assert equal == ["True", "True"]
    with pytest.raises(UserError, match="a run with 2 processes, now it is 1; delete it"):
        fit(bert("bibert"), sentences, LABELS, CONFIG, tmp_path / "run.checkpoint")


# What is no number.


def spoiled(at, spoil):
    """LABELS, but spoiled at one call."""
    calls = []

    def loss_of(model, batch):
        calls.append(1)
        loss = LABELS(model, batch)
        return spoil(loss) if len(calls) == at else loss

    return loss_of


SPOILS = {
    "nan": (lambda loss: loss * math.nan, "loss is nan"),
    "infinity": (lambda loss: loss / 0.0, "loss is inf"),
    # finite, but the root's slope at 0 is infinite
    "gradient": (lambda loss: (loss * 0).sqrt(), "gradient is nan"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILS.values(), ids=SPOILS)
def test_no_number(tmp_path, spoil, message):
    model, path = bert(), tmp_path / "run.checkpoint"
    with pytest.raises(UserError, match=f"^the {message} at step 6; try a lower learning rate than 0.002$"):
        fit(model, sentences, spoiled(6, spoil), CONFIG, path)
    # neither the model nor the checkpoint has seen it
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    fit(bert(), sentences, LABELS, CONFIG, path)


def test_no_number_names_the_layer(tmp_path):
    """Step and layer; the sign of an infinity is a number, so that the loss may look well."""
    model = bert("bit-w1a1")
    own = hooks(model)

    def overflow(step):
        if step == 4:
            with torch.no_grad():
                model.bert.encoder.layer[0].intermediate.dense.bias[0] = math.inf
        return sentences(step)

    with pytest.raises(UserError) as caught:
        fit(model, overflow, LABELS, CONFIG)
    assert str(caught.value).startswith(
        "the gradient is nan at step 5, first in bert.encoder.layer.0.intermediate.dense;"
    )
    float_model, bad = bert(None), torch.tensor(math.nan)
    float_model.bert.encoder.layer[0].output.dense.bias.data[3] = bad
    with pytest.raises(
        UserError, match=r"loss is nan at step 1, first in bert\.encoder\.layer\.0\.output\.dense;"
    ):
        fit(float_model, sentences, LABELS, CONFIG)

    class Root(nn.Module):
        """The root of a first layer's output times zero: finite, but not its slope."""

        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 1)

        def forward(self, x):
            return self.last((self.first(x) * 0).sqrt())

    root = Root()
    with pytest.raises(UserError, match=r"^the gradient is nan at step 1, first in first\.bias; try a lower"):
        fit(root, lambda step: {"x": torch.ones(1, 2)}, lambda model, batch: model(batch["x"]).sum(), CONFIG)
    assert hooks(model) == own


def hooks(model):
    return [hook for module in model.modules() for hook in module._forward_hooks.values()]


# Precision, and what is left on the model.


def test_one_precision_after_the_other_in_one_process():
    """Accelerate knows one precision a process, and leaves a wrapper of it on a model's forward."""
    given = {"input_ids": torch.tensor([[7, 8, 9]])}
    products = []
    for precision in ("bf16", "no", "bf16"):
        model = bert(None)
        model.classifier.register_forward_hook(lambda module, args, output: products.append(output.dtype))
        config = TrainConfig(steps=2, lr=1e-3, precision=precision)
        fit(model, sentences, LABELS, config)
        assert products == [torch.bfloat16 if precision == "bf16" else torch.float32] * 2
        assert "forward" not in vars(model)
        twin = copy.deepcopy(model)
        products.clear()
        assert torch.equal(twin(**given).logits, model(**given).logits)
        assert products == [torch.float32] * 2
        products.clear()


def test_a_trained_model_is_left_in_eval_mode_at_the_end_of_its_schedules():
    model = cnn("fda")
    fit(model, images, LABELS, CONFIG)
    assert not any(module.training for module in model.modules())
    assert {module.terms for module in model.modules() if hasattr(module, "terms")} == {18}


def test_the_same_seed_gives_the_same_model():
    models = [bert(), bert(), bert()]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        fit(model, sentences, LABELS, TrainConfig(steps=3, lr=1e-3), seed=seed)
    assert same(models[0], models[1])
    assert not same(models[0], models[2])  # dropout


def test_no_warning_is_given():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(bert(), sentences, LABELS, CONFIG)


def test_curves_are_short():
    """At most 200 points, whatever the number of steps; the last one is the end."""
    for steps in (1, 200, 201, 403):
        config = TrainConfig(steps, lr=0.01)
        history = fit(
            nn.Linear(1, 1), lambda step: {}, lambda model, batch: model.weight.square().sum(), config
        )
        assert len(history.steps) == len(history.loss) <= 200
        assert history.steps[-1] == steps
        assert history.steps == sorted(set(history.steps))


def test_a_point_of_the_curve_is_the_mean_since_the_one_before():
    losses = [float(step * step % 7) for step in range(401)]
    called = iter(losses)
    layer = nn.Linear(1, 1)
    history = fit(
        layer,
        lambda step: {},
        lambda model, batch: model.weight.sum() * 0 + next(called),
        TrainConfig(401, 0.01),
    )
    ends = [0, *history.steps]
    wanted = [sum(losses[a:b]) / (b - a) for a, b in pairwise(ends)]
    assert history.loss == pytest.approx(wanted, abs=1e-5)


def test_accuracy_is_that_of_the_batch_before_the_step_learns_from_it():
    seen = []

    def loss_of(model, batch):
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        logits = model(**inputs).logits
        seen.append((logits.argmax(-1) == batch["labels"]).double().mean().item())
        return nn.functional.cross_entropy(logits, batch["labels"])

    history = fit(bert(dropout=0.0), sentences, loss_of, CONFIG)
    assert history.accuracy == pytest.approx(seen, abs=1e-5)
    assert 0 < sum(seen) < STEPS


def test_without_classes_there_is_no_accuracy():
    def numbers(step):
        return sentences(step) | {"labels": torch.rand(4)}

    model = bert()
    model.classifier = nn.Linear(16, 1)
    assert fit(model, numbers, LABELS, CONFIG).accuracy == []


# Learning rates.


@pytest.mark.parametrize(
    ("steps", "warmup"), [(1, 0.1), (2, 0.5), (10, 0.0), (100, 0.1), (100, 1.0), (7, 0.3)]
)
def test_rate(steps, warmup):
    config = TrainConfig(steps=steps, lr=1.0, warmup=warmup)
    rates = [rate(step, config) for step in range(steps + 1)]
    rising = max(1, round(warmup * steps))
    assert rates[0] == pytest.approx(1 / rising)
    assert rates[rising - 1] == pytest.approx(1.0)
    assert rates[steps] == 0.0
    assert all(0 < value <= 1 for value in rates[:-1])
    assert rates[:rising] == sorted(rates[:rising])
    assert rates[rising:] == sorted(rates[rising:], reverse=True)


@pytest.mark.parametrize("make", [bert, cnn])
def test_every_trained_parameter_is_in_one_group(make):
    for recipe in (*binviz.recipes.names(), None):
        assert_groups(make, recipe)


def assert_groups(make, recipe):
    if make is cnn and recipe is None:
        model = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    else:
        model = make(recipe)
    frozen = next(model.parameters()).requires_grad_(False)
    groups = parameter_groups(model, CONFIG)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert len(grouped) == len(set(grouped)) and set(grouped) == trained
    assert id(frozen) not in grouped
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            scale = name.endswith(
                (".alpha", ".alpha_1", ".alpha_2", ".u", ".sigma_1", ".sigma_2", "weight_binarizer.scale")
            )
            scale = scale and not (
                recipe == "bidense" and name.endswith("activation_binarizer.alpha")
            )  # an exponent
            assert group["lr"] == (CONFIG.scale_lr if scale else CONFIG.lr), name
            decays = parameter.ndim >= 2 and not scale
            assert group["weight_decay"] == (CONFIG.weight_decay if decays else 0.0), name
            if name.endswith((".bias", ".beta", ".threshold", "LayerNorm.weight", "output_scale")):
                assert group["weight_decay"] == 0.0, name


def test_tied_weights_are_trained_once():
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    )
    grouped = [id(parameter) for group in parameter_groups(model, CONFIG) for parameter in group["params"]]
    assert len(grouped) == len(set(grouped)) == len(list(model.parameters()))


def test_the_forward_pass_finds_the_gradient_of_the_step_before():
    """For a binarizer that reads it; and none is left when the run is over."""
    layer, found = nn.Linear(1, 1), []

    def loss_of(model, batch):
        found.append(None if model.weight.grad is None else model.weight.grad.item())
        return (batch["x"] * model.weight).sum() + 0 * model.bias.sum()

    config = TrainConfig(steps=4, lr=1e-3, clip=100.0)
    fit(layer, lambda step: {"x": torch.tensor(step + 1.0)}, loss_of, config)
    assert found == [None, 1.0, 2.0, 3.0]
    assert layer.weight.grad is None


class Stepped(losses.Loss):
    """Labels; the gradients become ones, and behind the step all weights are moved by 1."""

    def forward(self, student, batch):
        return LABELS(student, batch)

    def before_step(self, student):
        for parameter in student.parameters():
            parameter.grad.fill_(1.0)

    def after_step(self, student):
        for parameter in student.parameters():
            parameter += 1.0


def test_a_loss_changes_gradients_before_the_step_and_weights_behind_it():
    model = cnn("bnn")
    before = [parameter.detach().clone() for parameter in model.parameters()]
    config = TrainConfig(1, 0.25, optimizer="sgd", weight_decay=0.0, warmup=0.0)
    fit(model, images, Stepped(losses.Loss.Options()), config)
    for was, now in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(now.detach(), was - 0.25 + 1.0)
