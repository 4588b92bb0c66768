"""A record of filled gaps is read as it was written, and refused where its parts do not fit."""

import json

import pytest

from binviz.errors import UserError
from binviz.evidence import gaps
from binviz.evidence.gaps import Filled, Gaps

ONE = Filled(
    "mlm.float",
    0,
    "float",
    64,
    {"loss": 1.5},
    {"commit": "a"},
    ([("paris", 0.5)], [("the", 0.25), ("a", 0.1)]),
)
RECORD = Gaps(("It is ___.", "On ___ hand."), ("paris", "one"), (ONE, ONE), {"dirty": False}, {})


def test_a_record_is_read_as_it_was_written(tmp_path):
    gaps.write(RECORD, tmp_path / "gaps.json")
    assert gaps.read(tmp_path / "gaps.json") == RECORD and RECORD.right(ONE) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values.pop("models"), "no list of models"),
        (lambda values: values.update(models=3), "no list of models"),
        (lambda values: values["models"][0].pop("tokens"), "tokens is missing"),
        (lambda values: values["models"][1]["answers"].pop(), "mlm.float has not an answer for each"),
        (lambda values: values["models"][0]["answers"][0][0].append(1), "answers is no"),
        (lambda values: values["words"].pop(), "not as many words as sentences"),
    ],
    ids=["none", "number", "field", "answer", "triple", "words"],
)
def test_a_record_whose_parts_do_not_fit(tmp_path, change, said):
    path = tmp_path / "gaps.json"
    gaps.write(RECORD, path)
    values = json.loads(path.read_text("utf-8"))
    change(values)
    path.write_text(json.dumps(values), "utf-8")
    with pytest.raises(UserError, match=said):
        gaps.read(path)
