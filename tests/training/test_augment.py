"""Texts joined in pairs, pictures mixed in pairs."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F
from transformers import BertTokenizer

from binviz.errors import UserError
from binviz.losses.labels import label_loss
from binviz.tasks import Problem
from binviz.training.augment import get, joined

PAD, CLS, SEP = 0, 2, 3


def tokenizer():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{i}" for i in range(100))]
    return BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})


def problem(texts):
    """Every batch holds the texts, in this order."""
    batch = dict(tokenizer().pad({"input_ids": [[CLS, *text, SEP] for text in texts]}, return_tensors="pt"))
    batch["labels"] = torch.zeros(len(texts))
    return Problem("toy", lambda step: dict(batch), None, {}, batch, tokenizer())


def texts_of(batch):
    """The texts between the special pieces, padding left out; everything else is checked."""
    found = []
    for ids, mask in zip(batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True):
        real = sum(mask)
        assert mask == [1] * real + [0] * (len(ids) - real) and set(ids[real:]) <= {PAD}
        assert ids[0] == CLS and ids[real - 1] == SEP and not {PAD, CLS, SEP} & set(ids[1 : real - 1])
        found.append(tuple(ids[1 : real - 1]))
    return found


TEXTS = [(10,), (20, 21), (30, 31, 32), (40, 41, 42, 43), (50,), (60, 61)]


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_pairs_of_one_half_and_the_other_and_the_other(count):
    given = set(TEXTS[:count])
    for step in range(20):
        found = texts_of(joined(problem(TEXTS[:count]), seed=0).batch_of(step))
        pairs, plain = found[: count // 2], found[count // 2 :]
        assert set(plain) < given or count == 1
        firsts = given - set(plain)
        wanted = {first + second for first in firsts for second in plain}
        assert len(pairs) == count // 2 and set(pairs) <= wanted
        assert {
            pair[: len(first)] for pair in pairs for first in firsts if pair[: len(first)] == first
        } == firsts


def test_every_step_and_seed_has_pairs_of_its_own_and_the_same_again():
    found = [texts_of(joined(problem(TEXTS), seed).batch_of(step)) for seed in (0, 1) for step in (0, 1)]
    again = [texts_of(joined(problem(TEXTS), seed).batch_of(step)) for seed in (0, 1) for step in (0, 1)]
    assert found == again
    assert len(set(map(tuple, found))) == 4


def test_a_pair_is_cut_and_keeps_its_last_special_piece():
    long = [tuple(range(5 + 20 * i, 25 + 20 * i)) for i in range(2)]
    pair, plain = texts_of(joined(problem(long), seed=0, longest=30).batch_of(0))
    assert len(pair) == 28 and pair[:20] in long
    assert pair[20:] == plain[:8]


def test_what_a_pair_is_about_nobody_says():
    assert "labels" not in joined(problem(TEXTS), seed=0).batch_of(0)


def test_all_else_of_the_problem_stays():
    before = problem(TEXTS)
    after = joined(before, seed=0)
    for name in ("name", "evaluate", "data", "calibration", "tokenizer"):
        assert getattr(after, name) is getattr(before, name)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_label_says_how_much_of_which_class_there_is(name):
    """A picture of class c is 1 in channel c: the mean of a mixture is its label."""
    labels = torch.tensor([0, 1, 2, 3, 0, 2])
    whole = F.one_hot(labels, 4).float()
    batch = {"pixel_values": whole[:, :, None, None].expand(-1, -1, 8, 6), "labels": labels}
    mixed = get(name)(
        Problem("own", lambda step: dict(batch), lambda model: ({}, None), {}, batch, classes=4), 3
    )
    found = [mixed.batch_of(step) for step in range(20)]
    for one in found:
        torch.testing.assert_close(one["pixel_values"].mean((2, 3)), one["labels"])
        torch.testing.assert_close(one["labels"].sum(0), whole.sum(0))  # among themselves: nothing is lost
    assert name == "mixup" or all(set(one["pixel_values"].unique().tolist()) <= {0.0, 1.0} for one in found)
    assert any(not torch.equal(one["labels"], whole) for one in found)
    assert torch.equal(mixed.batch_of(4)["pixel_values"], found[4]["pixel_values"])


def test_the_loss_of_a_mixture_is_the_mixture_of_losses():
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    both = 0.3 * F.one_hot(labels, 4) + 0.7 * F.one_hot(labels.flip(0), 4)
    wanted = 0.3 * label_loss(logits, labels) + 0.7 * label_loss(logits, labels.flip(0))
    torch.testing.assert_close(label_loss(logits, both), wanted)


def counting(per_epoch):
    """Batch i holds i alone, whose label is whether it is even."""

    def batch_of(step):
        return {"x": torch.tensor([float(step)]), "labels": torch.tensor([step % 2])}

    return Problem("toy", batch_of, None, {"train": "0", "test": "1"}, batch_of(0), per_epoch=per_epoch)


class Always(torch.nn.Module):
    """Says 0 to everything, and remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, x):
        self.asked.append(int(x))
        return SimpleNamespace(logits=torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize(
    ("name", "share", "per_epoch", "kept"),
    [
        ("held-out", "0.05", 100, 95),
        ("held-out", "0.05", 21, 20),
        ("held-out", "0.05", 2, 1),
        ("held-out-fifth", "0.2", 18, 14),
    ],
)
def test_what_is_held_out_is_not_learned_from_and_alone_judged(name, share, per_epoch, kept):
    found, model = get(name)(counting(per_epoch), 0), Always()
    learned = [int(found.batch_of(step)["x"]) for step in range(3 * kept)]
    assert learned == [*range(kept)] * 3
    metrics, correct = found.evaluate(model)
    assert model.asked == [*range(kept, per_epoch)] and not model.training
    assert correct.tolist() == [step % 2 == 0 for step in model.asked]
    assert metrics == {"accuracy_held_out": correct.mean()}
    assert found.data == {"train": "0", "held out": f"{share} of train"}


def test_one_batch_an_epoch_leaves_none_to_learn_from():
    with pytest.raises(UserError, match="take smaller batches"):
        get("held-out")(counting(1), 0)
