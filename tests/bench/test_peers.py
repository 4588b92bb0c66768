"""Other libraries beside ours: who is asked, who is believed, and what is said of those who are not there."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from rich.console import Console
from torch import nn

from binviz.bench import models, peers, report
from binviz.errors import UserError


def small_bert():
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=500, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
        )
    )


@pytest.fixture
def small(monkeypatch):
    """A small BERT and no clock: every contestant is called once and takes a second."""
    monkeypatch.setattr(models, "CASES", {"BERT-base": models.Case(small_bert, ("bit-w1a1",), (1,))})
    monkeypatch.setattr(peers, "set_threads", lambda threads: None)

    def one_second_each(functions, *_):
        assert all(function().shape == (1, 2) for function in functions.values())
        return {name: [1.0] for name in functions}

    monkeypatch.setattr(peers, "interleave", one_second_each)


def printed(part):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(report.peers({"peers": part}))
    return " ".join(console.export_text().split())


def test_peers_that_are_not_installed_are_said_in_one_line_each(small, monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "installed", lambda package: None)
    found = peers.compete((1,), 1, tmp_path)
    assert list(found["left_out"]) == ["onnxruntime", "openvino", "bnn-lab"]
    assert set(found["lines"][0]["seconds"]) >= {"binviz", "torch float32"}
    text = printed(json.loads(json.dumps(found)))
    assert "onnxruntime: not installed: pip install binviz[bench]." in text
    assert "bnn-lab: not installed: pip install --no-deps bnn-lab." in text


def test_only_a_peer_that_answers_as_torch_does_is_timed(small, monkeypatch, tmp_path):
    def fakes(model, folder):
        right = peers.in_torch(model)
        threads = []

        def broken(n):
            raise RuntimeError("no such instruction\nand much more")

        made = {
            "good": peers.Peer(lambda n: threads.append(n) or right, "float32", model),
            "coarse": peers.Peer(lambda n: lambda given: 1.05 * right(given), "int8", model),
            "wrong": peers.Peer(lambda n: lambda given: 1.05 * right(given), "float32", model),
            "blind": peers.Peer(lambda n: lambda given: right(without_mask(given)), "float32", model),
            "broken": peers.Peer(broken, "float32", model),
        }
        fakes.threads = threads
        return made, {"absent": "not installed"}

    def without_mask(given):
        return given | {"attention_mask": np.ones_like(given["attention_mask"])}

    monkeypatch.setattr(peers, "convert", fakes)
    found = peers.compete((1, 2), 1, tmp_path)
    assert fakes.threads == [1, 2]
    for line in found["lines"]:
        assert {"binviz", "good", "coarse"} <= set(line["seconds"])
        assert not {"wrong", "blind", "broken"} & set(line["seconds"])
        assert (line["tokens"], line["recipe"], line["ratio"]["good"]["median"]) == (128, "bit-w1a1", 1.0)
    assert found["largest_difference"]["good"] == 0
    assert found["largest_difference"]["coarse"] == pytest.approx(0.05)
    assert "answers otherwise than torch" in found["left_out"]["wrong"]
    assert "answers otherwise than torch" in found["left_out"]["blind"]
    assert found["left_out"]["broken"] == "failed: no such instruction"
    text = printed(found)
    assert "absent: not installed." in text and "coarse 0.05" in text


def test_texts_have_the_lengths_that_they_say():
    torch.manual_seed(0)
    given = peers.texts(small_bert())
    assert [int(text["attention_mask"].sum()) for text in given] == list(peers.LENGTHS)
    assert given[0]["attention_mask"].all()
    assert all(text["input_ids"].shape == text["attention_mask"].shape == (1, 128) for text in given)


def test_bnn_labs_reference_is_signs_multiplied_one_by_one():
    torch.manual_seed(0)
    linear = nn.Linear(5, 3)
    x = torch.tensor([[0.5, -0.2, 0.0, 1.0, -3.0]])
    signs = [1, -1, -1, 1, -1]
    w, bias = linear.weight.tolist(), linear.bias.tolist()
    wanted = [
        sum(s * (1 if v >= 0 else -1) for s, v in zip(signs, row, strict=True)) * sum(map(abs, row)) / 5 + b
        for row, b in zip(w, bias, strict=True)
    ]
    np.testing.assert_allclose(peers.Signs(linear)(x)[0].tolist(), wanted, rtol=1e-5)
    replaced = peers.encoder_replaced(small_bert(), peers.Signs)
    assert sum(isinstance(module, peers.Signs) for module in replaced.modules()) == 6
    assert isinstance(replaced.classifier, nn.Linear)


PROGRAM = """
import runpy, sys
import transformers
from binviz.bench import models
config = dict(vocab_size=30_522, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=256)
make = lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**config))
models.CASES["BERT-base"] = models.Case(make, ("bit-w1a1",), (1,))
from binviz.bench import peers
peers.main(["[[1], 1]", sys.argv[1]])
assert "openvino_telemetry" not in [name for name, module in sys.modules.items() if module]
"""


@pytest.mark.slow
@pytest.mark.skipif(len(peers.missing()) == len(peers.NEEDS), reason="no other library is installed")
def test_every_peer_that_is_installed_answers_as_torch_does(tmp_path):
    out = tmp_path / "peers.json"
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["left_out"] == peers.missing()
    timed = {name.split()[0] for name in found["lines"][0]["seconds"]}
    assert timed == {"binviz", "torch"} | (set(peers.NEEDS) - set(peers.missing()))


def test_peers_are_measured_in_a_process_of_their_own(monkeypatch):
    python = subprocess.run
    program = "import sys; open(sys.argv[2], 'w').write('{\"lines\": []}'); print('noise')"

    def instead(command, **options):
        assert command[:3] == [sys.executable, "-m", "binviz.bench.peers"]
        return python([sys.executable, "-c", program, *command[3:]], **options)

    monkeypatch.setattr(subprocess, "run", instead)
    assert peers.measure((1, 2), 3) == {"lines": []}
    program = "raise SystemExit('no such thing')"
    with pytest.raises(UserError, match="other libraries failed: no such thing"):
        peers.measure((1,), 1)
