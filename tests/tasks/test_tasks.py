"""What every task owes, and that nobody else asks which one it is."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import binviz
from binviz import tasks, zoo
from binviz.data import glue, sentences
from binviz.errors import UserError
from binviz.tasks import digits as digits_task
from binviz.tasks import text
from binviz.tasks.task import TAKES

ROOT = Path(binviz.__file__).parents[1]


@pytest.mark.parametrize("name", glue.TASKS)
def test_a_text_task_has_the_labels_of_its_data(name):
    task = tasks.get(name)
    assert task.name == name and task.shows == "text" and task.takes == "input_ids"
    assert task.outputs == glue.task(name).num_labels and len(task.labels) != 1
    assert name in task.source and task.title.endswith(("?", "5?"))


@pytest.mark.slow
def test_every_bundled_model_fits_its_task():
    for name in zoo.names():
        task, model = tasks.of_model(name), zoo.load(name)
        example = task.example(0, name, task.tokenizer(name))
        assert set(example.inputs) >= {task.takes} and model.main_input_name == task.takes
        logits = model(**example.inputs).logits
        if task.fills:
            assert logits.shape == (1, len(example.tokens) + 2, model.config.vocab_size)
        elif task.shows == "noise":
            assert logits.shape == (*example.inputs[task.takes].shape, task.outputs)
        elif task.name == "scene-text":
            assert logits.shape == (1, task.outputs, *example.inputs[task.takes].shape[2:])
        else:
            assert logits.shape == (1, task.outputs) and example.truth in (None, *task.labels)


def test_the_code_of_an_example_makes_its_inputs():
    for name in ("sst2-minilm.float", "digits-cnn.float"):
        task = tasks.of_model(name)
        example = task.example(7, name, task.tokenizer(name))
        made = {}
        exec(f"import torch\nfrom binviz import zoo\n{example.imports}{example.code}", made)
        assert set(made["inputs"]) == set(example.inputs)
        assert all(torch.equal(made["inputs"][key], value) for key, value in example.inputs.items())
        if example.picture is not None:
            picture = eval(example.picture_code, made)
            assert np.array_equal(picture, example.picture)


@pytest.mark.parametrize("name", ["sst2", "digits"])
@pytest.mark.parametrize("index", [-1, 10_000])
def test_no_example_has_that_number(name, index):
    with pytest.raises(UserError, match=f"has the number {index}; choose one from 0 to"):
        tasks.get(name).example(index, "", None)


def test_positions_have_names():
    model = "sst2-minilm.float"
    example = text.sentence("a good film", model, zoo.load_tokenizer(model))
    names = [example.position(i, 5) for i in range(5)]
    assert names[0] == "token 0, “[CLS]”," and names[2] == "token 2, “good”," and "[SEP]" in names[4]
    picture = tasks.get("digits").example(0, "", None)
    assert [picture.position(i, 17) for i in (0, 1, 16)] == [
        "the class token",
        "the patch in row 0, column 0",
        "the patch in row 3, column 3",
    ]


def test_our_sentences_are_examples_in_their_order():
    model = "sst2-minilm.float"
    tokenizer = zoo.load_tokenizer(model)
    for index in (0, 5, 59):
        example, sentence = tasks.get("sst2").example(index, model, tokenizer), sentences.load()[index]
        assert (example.key, example.truth) == (sentence.text, ("negative", "positive")[sentence.label])


@pytest.mark.parametrize(
    ("name", "width"), [("vit", 64), ("vit-32", 32), ("cnn", 64), ("cnn-16", 16), ("", 64)]
)
def test_architectures_of_the_digits(name, width):
    (model, tokenizer), (again, _) = (tasks.get("digits").start(name, 3) for _ in range(2))
    config = model.config
    assert tokenizer is None and width == getattr(config, "hidden_size", 2 * getattr(config, "width", 0))
    assert isinstance(model, transformers.ViTForImageClassification) == (not name.startswith("cnn"))
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


@pytest.mark.parametrize(
    ("name", "convolutions"), [("mixer", 1), ("mixer-16", 1), ("resnet", 7), ("birealnet-16", 7)]
)
def test_more_architectures_of_the_digits(name, convolutions):
    model, _ = tasks.get("digits").start(name, 3)
    assert sum(isinstance(part, torch.nn.Conv2d) for part in model.modules()) == convolutions
    assert model.head.in_features == int(name.partition("-")[2] or 64)
    assert model(torch.zeros(2, 1, 8, 8)).logits.shape == (2, 10)


@pytest.mark.parametrize("name", ["vgg", "vit-", "vit-x", "vit-4-4", "vit-30", "cnn-0", "vit-99999"])
def test_an_architecture_that_there_is_not(name):
    with pytest.raises(UserError, match="no architecture"):
        tasks.get("digits").start(name, 0)


def test_a_problem_of_the_digits_judges_as_the_task_does():
    task, model = tasks.get("digits"), zoo.load("digits-cnn.float")
    problem = task.problem(None, 64, 0)
    (metrics, correct), (other, same) = problem.evaluate(model), task.judge(model, None)
    assert metrics == other and np.array_equal(correct, same) and len(correct) == 450
    held_out = task.held_out(None)
    logits = model(**held_out.collate(held_out.examples[:5])).logits
    images = torch.as_tensor(digits_task.digits.load("test")[0][:5])
    np.testing.assert_allclose(logits.detach().numpy(), digits_task.logits(model, images), atol=1e-5)
    assert problem.per_epoch == 1347 // 64 and set(problem.batch_of(3)) == {"pixel_values", "labels"}


def test_a_name_is_given_once_and_a_wrong_one_has_a_hint():
    with pytest.raises(UserError, match="a task named 'digits' exists already"):
        tasks.register(dataclasses.replace(tasks.get("digits"), title="Another question?"))
    tasks.register(tasks.get("digits"))  # a notebook's cell, run again
    with pytest.raises(UserError, match="no task 'digit'; did you mean 'digits'"):
        tasks.get("digit")


def compared(tree):
    """Words that a module compares something with, or looks for at the beginning of something."""
    for node in ast.walk(tree):
        parts = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("startswith", "endswith"):
            parts = node.args
        elif isinstance(node, ast.Match):
            parts = [case.pattern.value for case in node.cases if isinstance(case.pattern, ast.MatchValue)]
        for part in parts:
            yield from (each.value for each in ast.walk(part) if isinstance(each, ast.Constant))


def test_nobody_else_asks_which_task_it_is():
    # What a task shows may be asked, and one is called after it
    known, asking = set(tasks.names()) - set(TAKES), []
    folders = (ROOT / "binviz", ROOT / "dashboard/binviz_dashboard")
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        if "tasks" in path.parts or "data" in path.parts:
            continue
        text = path.read_text("utf-8")
        if not any(name in text for name in known):
            continue
        words = {word for word in compared(ast.parse(text)) if isinstance(word, str)}
        asking += [str(path.relative_to(ROOT)) for word in words if word.rstrip("-.") in known]
    assert asking == []
