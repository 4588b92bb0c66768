import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import binviz
from binviz import tasks
from binviz.analysis import agreement as comparison
from binviz.analysis.agreement import Way, agreement, report
from binviz.bench.agreement import main


def network(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 10), nn.Linear(10, 10), nn.Tanh(), nn.Linear(10, 3)).eval()
    binviz.binarize_(model, "xnor")
    return model


def stack(rows):
    return {"input": torch.stack(list(rows))}


EXAMPLES = list(torch.randn(70, 6, generator=torch.Generator().manual_seed(0)))


def test_what_differs_is_counted():
    """Against a second network: codes and answers compared one example at a time."""
    one, other = network(0), network(1)
    found = agreement(Way(one), {"other": Way(other, batch_size=3)}, EXAMPLES, stack)["other"]
    x = torch.stack(EXAMPLES)
    signs = [model[0](x) >= 0 for model in (one, other)]
    with torch.no_grad():
        first, second = one(x), other(x)
    assert found.examples == 70
    assert found.codes == {"1.code": (int((signs[0] != signs[1]).sum()), 700)}
    assert (found.flips, found.compared) == found.codes["1.code"]
    assert found.disagreements == int((first.argmax(1) != second.argmax(1)).sum()) > 0
    assert found.gap == pytest.approx(float((first - second).abs().max()), abs=1e-5)


@pytest.mark.parametrize("name", [pytest.param("bert", marks=pytest.mark.slow), "vit", "swin", "cnn"])
def test_a_packed_model_agrees(models, name):
    model = models.tiny(name)
    binviz.binarize_(model, "bit-w1a1")
    given = models.inputs(name, 5)
    model(**given)
    # of different lengths, so that a batch has padding, which does not count
    lengths = [7, 3, 5, 4, 6]
    text = "input_ids" in given
    examples = [
        {key: value[i, : lengths[i]] if text else value[i] for key, value in given.items()} for i in range(5)
    ]
    if text:
        for example in examples:
            example["attention_mask"] = torch.ones_like(example["input_ids"])

    def collate(part):
        longest = max(len(next(iter(example.values()))) for example in part)
        pad = (lambda v: nn.functional.pad(v, (0, longest - len(v)))) if text else (lambda v: v)
        return {key: torch.stack([pad(example[key]) for example in part]) for key in part[0]}

    before, bits = torch.get_num_threads(), binviz.pack(model)
    found = report(model, bits, examples, collate)
    assert torch.get_num_threads() == before
    assert list(found) == ["packed", "packed, layer by layer", "batch 1 against 32", "one thread against two"]
    answers, packed, batch, _ = found.values()
    with torch.no_grad():
        wanted, said = (twin(**collate(examples)).logits for twin in (model, bits))
    assert answers.codes == {} and answers.gap == pytest.approx((wanted - said).abs().max().item(), abs=1e-6)
    assert answers.disagreements == (wanted.argmax(1) != said.argmax(1)).sum()
    assert (packed.flips, packed.disagreements, packed.gap) == (0, 0, 0.0)
    assert (
        packed.codes.keys()
        == batch.codes.keys()
        == {n for n in binviz.analysis.names(model) if n.endswith(".code")}
    )
    assert {key: compared for key, (_, compared) in packed.codes.items()} == {
        key: compared for key, (_, compared) in batch.codes.items()
    }
    if text:
        assert packed.codes["layers.0.ffn_in.code"][1] == sum(lengths) * 16
        assert packed.codes["layers.0.probs.code"][1] == sum(length**2 for length in lengths) * 2


def test_a_model_that_shows_no_codes_is_compared_by_its_answers():
    class Closed(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.hidden = [model]

        def forward(self, input):  # noqa: A002
            return self.hidden[0](input) + 0.5

    found = agreement(Way(network()), {"closed": Way(Closed(network()))}, EXAMPLES, stack)["closed"]
    assert (found.codes, found.disagreements) == ({}, 0)
    assert found.gap == pytest.approx(0.5, abs=1e-6)


def test_answers_that_are_no_numbers_do_not_agree():
    class Nothing(nn.Module):
        def forward(self, input):  # noqa: A002
            return torch.full((len(input), 3), float("nan"))

    found = agreement(Way(network()), {"nothing": Way(Nothing())}, EXAMPLES, stack)["nothing"]
    assert found.disagreements == 70 and np.isnan(found.gap)


def test_threads_are_set_back_after_an_error(monkeypatch):
    monkeypatch.setattr(comparison, "run", lambda *arguments: 1 / 0)
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        agreement(Way(network(), threads=2), {}, EXAMPLES, stack)
    assert torch.get_num_threads() == before


def test_the_command(monkeypatch, capsys, tmp_path):
    task = tasks.of_model("digits-cnn.xnor")
    held_out = task.held_out(None)
    assert len(held_out.examples) == 450
    fewer = dataclasses.replace(held_out, examples=held_out.examples[:40])
    monkeypatch.setattr(
        tasks, "of_model", lambda name: dataclasses.replace(task, held_out=lambda tokenizer: fewer)
    )
    main(["--models", "digits-cnn.[xf]*", "--out", str(tmp_path / "found.json")])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "model" and [line.split()[:2] for line in lines] == [
        ["digits-cnn.xnor", "packed"],
        ["digits-cnn.xnor", "packed,"],
        ["digits-cnn.xnor", "batch"],
        ["digits-cnn.xnor", "one"],
    ]
    assert lines[0].split()[-5:] == ["-", "0", "of", "40", "0.00e+00"]
    assert lines[1].split()[-7:-5] == ["0", "of"]
    assert (tmp_path / "found.json").exists()
