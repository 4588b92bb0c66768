"""A run's one number, against the metrics' own definitions."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from binviz.data import digits
from binviz.evidence import runs
from binviz.evidence.headline import Split, chance, constant, headline, labels_as_bits, split_of, splits
from binviz.evidence.runs import Run, of_examples
from binviz.tasks import points
from binviz.words import percent


@pytest.mark.parametrize("counts", [(30, 70), (70, 30), (1, 1)])
def test_chance_is_what_one_answer_to_everything_gets(counts):
    labels = np.repeat([0, 1], counts)
    split = Split("own", "test", counts, labels_as_bits(labels))
    always = [np.full_like(labels, answer) for answer in (0, 1)]
    assert chance("accuracy", split) == max(accuracy_score(labels, each) for each in always)
    assert chance("f1", split) == pytest.approx(f1_score(labels, always[1]))
    for answers in always:
        run = Run("e", "c", 0, {}, "", {}, {"accuracy": 0.5}, 1.0, **of_examples(answers == labels))
        assert constant(run, split)
    answers = always[1].copy()
    answers[0] = 0
    assert not constant(Run("e", "c", 0, {}, "", {}, {}, 1.0, **of_examples(answers == labels)), split)


def test_every_shipped_run_with_an_accuracy_has_a_chance_level():
    for run in runs.runs():
        found = headline(run)
        if "perplexity" in run.metrics:
            assert found.key == "perplexity" and found.chance is None
        elif "accuracy" in run.metrics:
            assert found.chance is not None, run.path
            assert sum(split_of(run).classes) == run.examples


def test_bundled_data_have_the_classes_that_are_written_down():
    found = next(split for split in splits().values() if split.task == "digits")
    assert list(found.classes) == np.bincount(digits.load("test")[1]).tolist()
    found = next(split for split in splits().values() if split.task == "points")
    assert list(found.classes) == np.bincount(points.held_out_clouds()[1]).tolist()


def test_a_model_that_answers_one_class_is_found_out():
    told = {run.cell: headline(run) for run in runs.runs() if run.experiment == "bit" and run.seed == 0}
    assert told["cola.bit-w1a1"].constant and told["mrpc.bnn-threshold"].constant
    assert not told["cola.float"].constant and not told["sst2.bit-w1a1"].constant
    assert told["cola.float"].key == "matthews" and told["mrpc.float"].key == "f1"
    assert told["stsb.float"].key == "spearman" and told["rte.float"].key == "accuracy"


@pytest.mark.parametrize("share", [0.9988, 0.99951, 1 - 1e-12, 1e-12, 4e-4])
def test_what_is_nearly_all_is_not_all(share):
    assert percent(share) not in ("100 %", "100.0 %", "0 %", "0.0 %")
