import pytest
import torch

from binviz import analysis
from binviz.errors import UserError


def agreement(model, inputs):
    """Share of predictions that stay as the given model makes them."""
    model.eval()
    with torch.no_grad():
        own = model(**inputs).logits.argmax(1)

    def evaluate(trial):
        assert not trial.training
        with torch.no_grad():
            return (trial(**inputs).logits.argmax(1) == own).float().mean().item()

    return evaluate


def test_every_layer_once(bert, text):
    before = {name: value.clone() for name, value in bert.state_dict().items()}
    calls = []
    table = analysis.sensitivity(
        bert, "bit-w1a1", agreement(bert, text), progress=lambda *call: calls.append(call)
    )
    layers = [
        f"layers.{i}.{part}" for i in (0, 1) for part in ("query", "key", "value", "attn_out", "fc1", "fc2")
    ]
    names = [name for name in table["name"] if not name.endswith(".attention")]
    assert names == ["float", "embed", *layers, "pooler", "all"]
    assert table.columns.tolist() == ["name", "score", "lost", "weights"]
    weights = dict(zip(table["name"], table.weights, strict=True))
    assert weights["float"] == 0
    assert weights["layers.0.query"] == 32 * 32
    assert weights["embed"] == 50 * 32
    assert weights["all"] == sum(weights[name] for name in names[1:-1])
    assert table.score[0] == 1
    assert (table.lost == 1 - table.score).all()
    assert [name for *_, name in calls if not name.endswith(".attention")] == names
    assert bert.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in bert.state_dict().items())


def test_every_block_once(bert, text):
    table = analysis.sensitivity(bert, "bnn", agreement(bert, text), by="block")
    assert table["name"].tolist() == ["float", "embed", "layers.0", "layers.1", "pooler", "all"]


def test_a_wrong_word(bert, text):
    with pytest.raises(UserError, match="'layer' or 'block'"):
        analysis.sensitivity(bert, "bnn", agreement(bert, text), by="head")
    with pytest.raises(UserError, match="recipe"):
        analysis.sensitivity(bert, "bnnn", agreement(bert, text))


def test_an_error_of_the_evaluation_is_not_swallowed(bert):
    def evaluate(trial):
        raise UserError("no data")

    with pytest.raises(UserError, match="no data"):
        analysis.sensitivity(bert, "bnn", evaluate)


def test_it_can_be_stopped_between_parts(bert, text):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 2

    table = analysis.sensitivity(bert, "bnn", agreement(bert, text), by="block", stop=stop)
    assert table["name"].tolist() == ["float", "embed", "layers.0"]
    assert table.attrs["stopped"]
    whole = analysis.sensitivity(bert, "bnn", agreement(bert, text), by="block", stop=lambda: False)
    assert whole["name"].iloc[-1] == "all"
    assert not whole.attrs["stopped"]
