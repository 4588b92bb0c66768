"""Published tables: complete, and the two ways in which their averages were taken."""

import pytest

from binviz.errors import UserError
from binviz.evidence import papers

ROWS = {(row.model, row.bits[-1], row.augmentation): row for row in papers.glue()}


def test_every_row_is_complete_and_has_a_source():
    columns = papers.table("glue")["columns"]
    assert len(ROWS) == len(papers.glue()) == 16
    for row in papers.glue():
        assert list(row.scores) == columns
        assert row.source and all(0 <= score <= 100 for score in row.scores.values())
        if row.repeated:
            plain = ROWS[row.model, row.bits[-1], False]
            assert row.augmentation and all(row.scores[name] == plain.scores[name] for name in row.repeated)


# printed, mean of nine columns, mean of eight tasks
AVERAGES = {
    ("BERT", 32, False): (83.9, 83.93, 83.74),
    ("BinaryBERT", 4, False): (79.9, 80.30, 79.81),
    ("BinaryBERT", 2, False): (53.7, 53.74, 52.48),
    ("BinaryBERT", 1, False): (41.0, 40.99, 41.70),
    ("BiBERT", 1, False): (63.2, 63.18, 62.64),
    ("BiT*", 4, False): (79.5, 80.01, 79.46),
    ("BiT*", 2, False): (75.0, 75.84, 75.01),
    ("BiT*", 1, False): (71.0, 71.73, 71.01),
    ("BiT", 1, False): (73.5, 74.17, 73.51),
    ("BiBERT", 1, True): (68.8, 68.84, 69.01),
    ("BiT*", 2, True): (80.4, 80.64, 80.41),
    ("BiT*", 1, True): (76.0, 76.18, 76.01),
    ("BiT", 1, True): (78.0, 78.13, 77.98),
    ("BiPFT-B", 1, False): (70.8, 70.79, 70.81),
}


@pytest.mark.parametrize("key", AVERAGES, ids=str)
def test_averages(key):
    printed, nine, eight = AVERAGES[key]
    row = ROWS[key]
    assert row.printed_average == printed
    assert row.average("nine columns") == pytest.approx(nine, abs=0.006)
    assert row.average("eight tasks") == pytest.approx(eight, abs=0.006)


def test_which_rule_was_used():
    assert {row.printed_rule for row in papers.glue() if row.model == "BiT" and not row.augmentation} == {
        "eight tasks"
    }
    assert ROWS["BiBERT", 1, False].printed_rule == "nine columns"
    assert ROWS["BinaryBERT", 4, False].printed_rule is None  # neither gives 79.9
    assert ROWS["BiPFT-B", 1, False].printed_rule is None  # both give 70.8


@pytest.mark.parametrize(
    ("rule", "plain", "augmented"), [("nine columns", 9.8, 5.8), ("eight tasks", 10.2, 5.8)]
)
def test_the_gap_to_float_under_one_rule(rule, plain, augmented):
    """The abstract's 5.9 compares averages of different rules."""
    bert = ROWS["BERT", 32, False].average(rule)
    assert round(bert - ROWS["BiT", 1, False].average(rule), 1) == plain
    assert round(bert - ROWS["BiT", 1, True].average(rule), 1) == augmented


def test_no_such_rule():
    with pytest.raises(UserError, match="nine columns, eight tasks"):
        papers.glue()[0].average("mean")


def test_bivits_tables_are_complete():
    tables = {name: table for name, table in papers.table("bivit").items() if name.startswith("table")}
    assert list(tables) == [f"table {i}" for i in range(1, 10)]
    for table in tables.values():
        rows = [
            value for value in table.values() if isinstance(value, list) and value is not table.get("columns")
        ]
        assert table["what"] and all(len(row) == len(table["columns"]) for row in rows)
