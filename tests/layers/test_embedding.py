"""BinaryEmbedding: the same as binarizing the whole table and then looking up."""

import pytest
import torch
from torch.nn import functional as F

from binviz import binarizers
from binviz.layers import BinaryEmbedding
from binviz.layers.tap import listening

WEIGHTS = {
    "bit": ("bit-weight", {"per_row": True}),
    "bibert": ("bibert-weight", {}),
    "xnor": ("xnor-weight", {}),
    "xnor-centred": ("xnor-weight", {"centre": True}),
    "dorefa": ("dorefa-weight", {}),
    "bireal": ("bireal-weight", {}),
    "bivit": ("bivit-weight", {}),
    "recu": ("recu-weight", {}),
    "fda": ("fda-weight", {}),
    "stored": ("stored", {}),
}
IDS = {
    "one": torch.tensor(4),
    "sentence": torch.tensor([1, 2, 2]),
    "batch": torch.tensor([[0, 10], [4, 4]]),
    "none": torch.zeros(0, dtype=torch.long),
    # As many ids as the table has rows: a scale for each row must not be taken for a scale of each id.
    "as many as rows": torch.tensor([10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
}


def make(weight, **options):
    torch.manual_seed(0)
    name, settings = weight
    table = BinaryEmbedding(
        11, 6, weight=binarizers.get(name, features=11, channel_axis=0, **settings), **options
    )
    table.weight.data += 0.1
    if name == "stored":
        table.weight_binarizer.scale.uniform_(0.5, 2.0)
    table.weight_binarizer(table.weight)
    return table


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_look_up_in_the_binarized_table(weight):
    table = make(weight).eval()
    whole = table.weight_binarizer(table.weight)
    for name, ids in IDS.items():
        torch.testing.assert_close(table(ids), whole[ids], rtol=1e-6, atol=0)
        assert table(ids).shape == (*ids.shape, 6), name


def test_gradient_of_the_binarized_table():
    for weight in WEIGHTS.values():
        table, grad = make(weight), torch.randn(2, 2, 6)
        ids = torch.tensor([[3, 5], [3, 0]])
        table(ids).backward(grad)
        found = {name: parameter.grad for name, parameter in table.named_parameters()}
        table.zero_grad()
        F.embedding(ids, table.weight_binarizer(table.weight)).backward(grad)
        assert found["weight"][[0, 3, 5]].abs().sum() > 0
        for name, parameter in table.named_parameters():
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-7)


def test_padding_row_does_not_learn():
    table = make(WEIGHTS["bit"], padding_idx=0)
    table(torch.tensor([0, 1])).sum().backward()
    assert table.weight.grad[0].abs().sum() == 0
    assert table.weight.grad[1].abs().sum() > 0


def test_options_of_torchs_embedding_are_obeyed():
    table = make(WEIGHTS["xnor"], max_norm=0.5)
    table(torch.tensor([1]))
    assert table.weight[1].norm() <= 0.5 + 1e-6


def test_a_listener_hears_rows_and_codes():
    table, heard = make(WEIGHTS["bit"]), {}
    ids = torch.tensor([[1, 2]])
    with listening(lambda module, part, value: heard.update({part: value})):
        y = table(ids)
    assert torch.equal(heard["pre"], table.weight[ids])
    assert torch.equal(heard["code"].decode(), y)
    assert set(heard["code"].q.unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_the_result_has_the_tables_dtype(dtype):
    assert make(WEIGHTS["bit"]).to(dtype)(torch.tensor([1])).dtype == dtype
