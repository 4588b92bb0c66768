from threading import Lock
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from binviz_dashboard import answers, speed, subject
from torch import nn

import binviz
from binviz import UserError, tasks, zoo
from binviz.bench import pair
from binviz.bench.timing import Spread
from binviz.tasks import Example

STEADY = Spread(1.0, 0.99, 1.01)


def timed(ratio, steady=True, why="layers of 64 inputs"):
    return pair.Timed(STEADY, STEADY, Spread(ratio, ratio, ratio), steady, why, 1, "now")


def test_two_models_take_turns_on_one_example():
    name = "digits-cnn.xnor"
    bits, floats = binviz.pack(zoo.load(name)), zoo.load(subject.of(name).teacher.name)
    example = tasks.of_model(name).example(0, name, None)
    found = speed.pair(floats, bits, example)
    assert found.ratio.low <= found.ratio.median <= found.ratio.high
    assert found.floats.median > 0 and found.bits.median > 0 and found.at
    assert "not fused (it has no transformer layers)" in found.why and "inputs" in found.why


def test_a_fused_model_says_so():
    found = pair.reason(binviz.pack(zoo.load("digits-vit.bit-w1a1")))
    assert found == "all layers in one call of the kernels, layers of 64 to 128 inputs"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.4, "2.5 times slower here, because: layers"),
        (6.5, "6.5 times faster here: "),
        (1.02, "As fast here"),
    ],
)
def test_a_ratio_in_words(ratio, said):
    assert timed(ratio).in_words().startswith(said)
    disturbed = timed(ratio, steady=False)
    assert not any(figure in disturbed.in_words() + disturbed.short() for figure in "0123456789")


@pytest.mark.slow
def test_who_measures_while_another_does_waits_and_is_then_refused(monkeypatch):
    monkeypatch.setattr(speed, "measure_pair", lambda *given: given)
    example = Example("a", {}, "")
    assert speed.pair(None, None, example) == (None, None, {})
    with speed.turn(), pytest.raises(UserError, match="somebody else"), speed.turn(wait=0.01):
        pass
    locks = Lock(), Lock()
    with speed.turn():
        assert speed.pair(None, None, example, locks) is None
    assert not any(lock.locked() for lock in locks)


ANSWERS = {
    "both right": (
        [0.1, 0.9],
        [0.4, 0.6],
        "b",
        "Both say b; the 1-bit one is less sure (60.0 % against 90.0 %).",
    ),
    "both wrong": (
        [0.4, 0.6],
        [0.1, 0.9],
        "a",
        "Both say b; the 1-bit one is more sure (90.0 % against 60.0 %).",
    ),
    "as sure": ([0.4, 0.6], [0.4, 0.6], None, "Both say b and are as sure (60.0 %)."),
    "one right": ([0.4, 0.6], [0.9, 0.1], "a", "The float one says b (60.0 %), the 1-bit one a (90.0 %)."),
    "neither": ([0.4, 0.6], [0.9, 0.1], "c", "The float one says b (60.0 %), the 1-bit one a (90.0 %)."),
}
RIGHT = {
    "both right": " Both are right.",
    "both wrong": " Both are wrong: it is a.",
    "as sure": "",
    "one right": " The 1-bit one is right.",
    "neither": " Neither is right: it is c.",
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_verdict_is_what_happened(case):
    floats, bits, truth, said = ANSWERS[case]
    assert answers.verdict(["a", "b"], floats, bits, truth) == said + RIGHT[case]
    longer = answers.verdict(["a", "b"], floats, bits, truth, (1300, 100), timed(5.7))
    assert longer == f"{said}{RIGHT[case]} 1/13 of the bytes, 5.7 times faster here."


def test_unknown_pieces_are_counted():
    example = Example("a", {}, "", tokens=("[UNK]", "film", "[UNK]", "[UNK]", "."))
    assert answers.unknown(example, "[UNK]").startswith("3 of 5 word pieces are unknown")
    assert answers.unknown(Example("a", {}, "", tokens=("film",)), "[UNK]") == ""
    assert answers.unknown(Example("a", {}, ""), None) == ""


class Says(nn.Module):
    """Answers the class that stands first in its input, or another one."""

    def __init__(self, turned=()):
        super().__init__()
        self.turned = turned

    def forward(self, ids):
        wanted = torch.tensor([int(row[0]) ^ (int(row[1]) in self.turned) for row in ids])
        return SimpleNamespace(logits=nn.functional.one_hot(wanted, 2).float())


def test_models_are_compared_example_by_example_whatever_their_lengths():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    examples = [
        Example(
            str(n),
            {"ids": torch.tensor([[int(label), n] + [0] * int(rng.integers(1, 5))])},
            "",
            truth="ab"[label],
        )
        for n, label in enumerate(labels)
    ]
    shares = []
    found = answers.compare(
        Says(), Says({3, 150}), examples, ["a", "b"], lambda share, text: shares.append(share)
    )
    assert found.floats.tolist() == labels.tolist()
    assert found.differing == [3, 150] and found.agreeing == 198 and found.right == (200, 198)
    assert [found.next(after) for after in (0, 3, 150)] == [3, 150, 3]
    assert shares == sorted(shares) and shares[0] == 0
    assert answers.compare(Says(), Says(), examples, ["a", "b"]).next(0) is None


def test_every_bundled_task_knows_how_many_examples_it_has():
    for name in ("digits", "sst2"):
        task = tasks.get(name)
        assert task.example_count() > 0
        with pytest.raises(UserError):
            task.example(task.example_count(), f"{name}-x", None)
    assert "hard on purpose" in tasks.get("sst2").about_examples
