"""The tasks of a table of signs."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from binviz import tasks
from binviz.data import tumours
from binviz.errors import UserError


def test_signs_are_measures_beside_cuts_of_the_training_part():
    raw = load_breast_cancer()
    (train, labels), (test, truth) = (tumours.load(split) for split in tumours.SPLITS)
    assert len(train) + len(test) == len(raw.target)
    assert labels.sum() + truth.sum() == raw.target.sum() and abs(labels.mean() - truth.mean()) < 0.01
    share = (train == 1).mean(0)
    for first, above in ((0, 0.5), (30, 0.75), (60, 0.25)):
        assert np.abs(share[first : first + 30] - above).max() < 0.02
    # A cut is a cut: in no measure does a sign fall as the cut does
    for bits in (train, test):
        assert (bits[:, 30:60] >= bits[:, :30]).all() and (bits[:, :30] >= bits[:, 60:]).all()
    with pytest.raises(UserError, match="tumours have no split 'validation'"):
        tumours.load("validation")


def test_three_signs_are_columns_of_all():
    (one, other), three = (tasks.get(name).problem(None, 20, 4) for name in ("tumours", "tumours-3")), None
    three = other.batch_of(7)
    assert torch.equal(one.batch_of(7)["bits"][:, [0, 1, 4]], three["bits"])
    assert torch.equal(one.batch_of(7)["labels"], three["labels"]) and one.data != other.data
    names = load_breast_cancer().feature_names[list(tumours.THREE)].tolist()
    assert names == ["mean radius", "mean texture", "mean smoothness"]


@pytest.mark.parametrize("name", ["tumours", "tumours-3"])
def test_accuracy_is_that_of_every_held_out_row(name):
    task = tasks.get(name)
    _, labels = tumours.load("test")

    class Benign(torch.nn.Module):
        def forward(self, bits):
            return type("Output", (), {"logits": torch.eye(2)[1].expand(len(bits), 2)})

    metrics, correct = task.judge(Benign(), None)
    assert np.array_equal(correct, labels == 1) and metrics == {"accuracy": np.mean(labels == 1)}
    found = task.held_out(None)
    given = found.collate([found.examples[i] for i in (7, 2)])["bits"]
    shown = task.example(7, "", None)
    assert torch.equal(shown.inputs[task.takes], given[:1]) and shown.truth == tumours.CLASSES[labels[7]]
    made = {"torch": torch}
    exec(shown.imports + shown.code, made)
    assert torch.equal(made["inputs"]["bits"], given[:1])
    model, tokenizer = task.start("", 3)
    assert tokenizer is None and model.main_input_name == task.takes
    assert model(**shown.inputs).logits.shape == (1, task.outputs)
    with pytest.raises(UserError, match="choose one from 0 to 189"):
        task.example(190, "", None)
    for wrong in ("mlp-0-2", "mlp-5", "cnn"):
        with pytest.raises(UserError, match="no architecture"):
            task.start(wrong, 0)
