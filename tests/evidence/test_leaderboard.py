"""The leaderboard against definitions in single numbers: scores, ties, what failed and what is not there."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from binviz.errors import UserError
from binviz.evidence import headline, leaderboard, noise, overall
from binviz.evidence.leaderboard import Column
from binviz.evidence.runs import Run, correct_bits

COLUMNS = [Column("a", "one", "CNN"), Column("b", "one", "transformer"), Column("c", "two", "CNN")]


def record(cell, right, seed=0, **other):
    """A run with a bit for each example, or one that failed."""
    if right is None:
        return {(cell, seed): Run("e", cell, seed, {}, "", {}, {}, 1.0, failed="the loss is nan")}
    given = {"predictions": correct_bits(right), "examples": len(right)} | other
    return {(cell, seed): Run("e", cell, seed, {}, "", {}, {"accuracy": float(right.mean())}, 1.0, **given)}


def first(share, of=200):
    """So many of the first examples right."""
    return np.arange(of) < share * of


def board(cells, rows=("good", "twin", "bad"), columns=COLUMNS):
    records = {}
    for name, right in cells.items():
        for seed, each in enumerate(right if isinstance(right, list) else [right]):
            records |= record(name, each, seed)
    return leaderboard.board(records, rows, columns)


def naive(kept, weights, plain):
    if plain:
        return sum(w * r for w, r in zip(weights, kept, strict=True)) / sum(weights)
    total = of_all = 0.0
    for task in ("one", "two"):
        own = [(w, r) for w, r, c in zip(weights, kept, COLUMNS, strict=True) if c.task == task and w]
        if own:
            mean = sum(w * r for w, r in own) / sum(w for w, _ in own)
            heaviest = max(w for w, _ in own)
            total, of_all = total + heaviest * mean**2, of_all + heaviest
    return math.sqrt(total / of_all)


def test_a_score_is_its_definition_for_any_weights():
    random = np.random.default_rng(0)
    kept = random.random((50, 3))
    for weights in ([1, 1, 1], [2.5, 0, 1], [0, 0, 3], [0.5, 3, 0]):
        for plain in (True, False):
            found = leaderboard.score(kept, COLUMNS, weights, plain)
            assert found == pytest.approx([naive(each, weights, plain) for each in kept])
    equal = leaderboard.score(kept[0], COLUMNS, [2, 2, 2])
    assert equal == pytest.approx(overall.task([kept[0, :2], kept[0, 2:]], [[1, 1], [1]]))
    left_out = leaderboard.score(np.array([0.5, np.nan, 0.7]), COLUMNS, [1, 0, 1])
    assert left_out == pytest.approx(naive([0.5, 0, 0.7], [1, 0, 1], plain=False))


@pytest.mark.parametrize("weights", [[0, 0, 0], [1, -1, 1]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(UserError, match="give a column some weight"):
        leaderboard.score(np.ones(3), COLUMNS, weights)


def test_rows_share_a_rank_until_one_is_settled_to_be_behind_the_first():
    shares = {"float": 0.95, "good": 0.9, "twin": 0.885, "middle": 0.84, "bad": 0.5}
    found = board({f"{c.name}.{row}": first(share) for c in COLUMNS for row, share in shares.items()}, shares)
    ranks = leaderboard.ranking(found, [1, 1, 1])
    assert [(each.row, each.rank) for each in ranks] == [
        ("good", "1"), ("twin", "2"), ("middle", "3"), ("bad", "4"),
    ]  # fmt: skip

    # The same shares on other examples: what the twin has more here it has less there, and nothing is settled
    cells = {f"{c.name}.{row}": first(share) for c in COLUMNS for row, share in shares.items()}
    cells |= {f"{c.name}.twin": ~first(1 - 0.885) for c in COLUMNS}
    ranks = leaderboard.ranking(board(cells, shares), [1, 1, 1])
    assert [(each.row, each.rank) for each in ranks] == [
        ("good", "1–2"), ("twin", "1–2"), ("middle", "3"), ("bad", "4"),
    ]  # fmt: skip
    assert all(each.low < each.score < each.high for each in ranks)


def test_a_tie_is_with_the_first_of_a_rank():
    """a and b are not settled, nor b and c, but a and c are: c begins a rank of its own."""
    random = np.random.default_rng(1)
    shares = {"float": 0.95, "a": 0.8, "b": 0.775, "c": 0.75}
    cells = {f"c.{row}": random.permutation(first(share, 1000)) for row, share in shares.items()}
    found = board(cells, shares, COLUMNS[2:])
    a, b, c = found.draws[:, 1:, 0].T
    assert [np.quantile(one - other, 0.025) > 0 for one, other in ((a, b), (b, c), (a, c))] == [0, 0, 1]
    ranks = leaderboard.ranking(found, [1])
    assert [(each.row, each.rank) for each in ranks] == [("a", "1–2"), ("b", "1–2"), ("c", "3")]


def test_weights_decide_who_leads():
    cells = {f"{c.name}.float": first(1.0) for c in COLUMNS}
    cells |= {"a.good": first(0.9), "b.good": first(0.9), "c.good": first(0.4)}
    cells |= {"a.bad": first(0.6), "b.bad": first(0.6), "c.bad": first(0.8)}
    found = board(cells, ("good", "bad"))
    assert [each.row for each in leaderboard.ranking(found, [1, 1, 0.5])] == ["good", "bad"]
    assert [each.row for each in leaderboard.ranking(found, [0, 0.5, 3])] == ["bad", "good"]


def test_an_interval_is_of_examples_and_of_seeds():
    cells = {"c.float": first(1.0), "c.good": first(0.8), "c.bad": [first(0.0), first(1.0)]}
    found = board(cells, ("good", "bad"), COLUMNS[2:])
    assert found.accuracy[:, 0].tolist() == [1.0, 0.8, 0.5]
    good, bad = found.draws[:, 1:, 0].std(axis=0)
    assert good == pytest.approx(math.sqrt(0.8 * 0.2 / 200), rel=0.15)
    assert bad == pytest.approx(math.sqrt(0.5 / 4), rel=0.15)  # two of 0 and 1, drawn anew
    perfect, good, bad = found.half[:, 0]
    assert 0 < perfect == pytest.approx((1 - noise.wilson(1.0, 200)[0]) / 2)
    assert good == pytest.approx((noise.wilson(0.8, 200)[1] - noise.wilson(0.8, 200)[0]) / 2)
    assert bad > 1.96 * 0.5  # of 0 and 1, whose standard error is a half


def test_an_exchange_on_one_column_is_mcnemar_s_test():
    """Five examples that only one of two has right are too few to settle anything, whatever draws say; six are not."""
    for only in (5, 6):
        cells = {"c.float": first(1.0), "c.good": first(0.9), "c.bad": first(0.9 - only / 200)}
        found = board(cells, ("good", "bad"), COLUMNS[2:])
        assert np.quantile(found.draws[:, 1, 0] - found.draws[:, 2, 0], 0.025) > 0
        expected = noise.mcnemar(found.right[0][1] - found.right[0][2])
        assert leaderboard.exchanged(found, 1, 2, [1]) == pytest.approx(expected, abs=0.007)
        assert [each.rank for each in leaderboard.ranking(found, [1])] == (
            ["1–2"] * 2 if only == 5 else ["1", "2"]
        )


@pytest.mark.parametrize("plain", [True, False])
def test_an_exchange_is_a_random_swap_of_every_example_of_all_columns(plain):
    """Against all swaps, one by one, of two rows with two seeds on two columns."""
    random = np.random.default_rng(3)
    shown = COLUMNS[1:]
    cells = {f"{c.name}.float": first(1.0, 6) for c in shown}
    for c in shown:
        cells |= {
            f"{c.name}.{row}": [random.random(6) < p for _ in "ab"]
            for row, p in (("good", 0.9), ("bad", 0.4))
        }
    found = board(cells, ("good", "bad"), shown)
    weights, leads = [1.0, 2.0], []
    for swaps in itertools.product([False, True], repeat=12):
        swapped = np.array(swaps).reshape(2, 6)
        one, other = [], []
        for right, swap in zip(found.right, swapped, strict=True):
            one.append(np.where(swap, right[2], right[1]).mean())
            other.append(np.where(swap, right[1], right[2]).mean())
        score = [leaderboard.score(np.array(each), shown, weights, plain) for each in (one, other)]
        leads.append(abs(score[0] - score[1]))
    expected = np.mean(np.array(leads) >= leads[0] * (1 - 1e-9))
    assert 0 < expected < 1
    assert leaderboard.exchanged(found, 1, 2, weights, plain) == pytest.approx(expected, abs=0.015)


def test_what_failed_or_was_not_run_has_no_score_and_says_why():
    cells = {f"{c.name}.{row}": first(0.9) for c in COLUMNS for row in ("float", "good")}
    cells |= {"a.twin": [first(0.9), None], "a.bad": first(0.5), "b.bad": first(0.5), "b.twin": first(0.5)}
    found = board(cells)
    assert [[found.lacks(row, c) for c in COLUMNS] for row in found.rows] == [
        ["", "", ""], ["", "", ""], ["failed", "", "not run"], ["", "", "not run"],
    ]  # fmt: skip
    assert np.isnan(found.accuracy[2]).tolist() == [True, False, True]
    assert leaderboard.weights_at_first(found) == [1, 1, 0]
    assert [each.row for each in leaderboard.ranking(found, [1, 1, 0])] == ["good", "bad"]
    assert leaderboard.incomplete(found, [1, 1, 1]) == {
        "twin": {"a": "failed", "c": "not run"}, "bad": {"c": "not run"},
    }  # fmt: skip
    nothing = leaderboard.board({}, ["good"], COLUMNS)
    assert leaderboard.weights_at_first(nothing) == [0, 0, 0] and np.isnan(nothing.accuracy).all()


def test_without_the_float_network_a_column_does_not_count():
    found = board({"a.float": first(0.9), "a.good": first(0.8), "b.good": first(0.8)}, ["good"])
    assert leaderboard.weights_at_first(found) == [1, 0, 0]


@pytest.mark.parametrize(("twin", "counts"), [(0.7, 1), (0.75, 0)], ids=["reach it", "pass it"])
def test_a_network_on_which_half_of_the_rows_pass_float_does_not_count_at_first(twin, counts):
    shares = {"float": 0.7, "good": 0.8, "twin": twin, "bad": 0.5, "worse": 0.4}
    found = board({f"a.{row}": first(share) for row, share in shares.items()}, list(shares)[1:])
    assert leaderboard.weights_at_first(found) == [counts, 0, 0]


def test_a_network_on_which_half_of_the_rows_learned_nothing_does_not_count_at_first(monkeypatch):
    split = headline.Split("two", "test", (110, 90), correct_bits(first(0.55)))
    monkeypatch.setattr(headline, "splits", lambda: {"known": split})
    of = {"data": {"test": "known"}}
    cells = {"float": first(0.9), "good": first(0.8), "twin": first(0.55), "bad": ~first(0.55)}
    records = {}
    for row, right in cells.items():
        records |= record(f"a.{row}", right) | {
            key: replace(run, **of) for key, run in record(f"c.{row}", right).items()
        }
    found = leaderboard.board(records, ("good", "twin", "bad"), COLUMNS)
    assert [found.says_one(row, COLUMNS[2]) for row in found.rows] == [False, False, True, True]
    assert not any(found.says_one(row, COLUMNS[0]) for row in found.rows)
    assert leaderboard.weights_at_first(found) == [1, 0, 0]
    assert np.isfinite(found.accuracy[:, 2]).all()


@pytest.mark.parametrize("other", [{"predictions": ""}, {"examples": 100}])
def test_nothing_is_settled_about_a_run_on_other_examples_or_without_a_bit_for_each(other):
    records = record("c.float", first(0.9)) | record("c.good", first(0.8))
    few = {"predictions": correct_bits(first(0.1, 100))} if "examples" in other else {}
    records |= record("c.bad", first(0.1), **other | few)
    found = leaderboard.board(records, ["good", "bad"], COLUMNS[2:])
    assert found.accuracy[2, 0] == 0.1 and np.isnan(found.draws[:, 2]).all()
    ranks = leaderboard.ranking(found, [1])
    assert [each.rank for each in ranks] == ["1–2", "1–2"] and math.isnan(ranks[1].low)
    assert math.isnan(leaderboard.exchanged(found, 1, 2, [1])) and math.isnan(found.half[2, 0])
