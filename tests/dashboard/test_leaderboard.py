"""The part Leaderboard of the page Evidence, on records that are made up."""

import json
from dataclasses import asdict, replace
from statistics import pstdev

import numpy as np
import pytest
from binviz_dashboard import cache, leaderboard_tab, tracks

from binviz.evidence import leaderboard, overall, runs
from binviz.evidence.robustness import Robustness
from binviz.evidence.runs import Run, correct_bits
from binviz.experiments import bibench
from binviz.training.augment import HELD_OUT

ROWS = {"float": 0.95, "reactnet": 0.9, "bireal": 0.89, "bnn": 0.5}


def record(name, share, seed=0, failed=""):
    cell = bibench.EXPERIMENT.cell(name)
    right = np.random.default_rng([seed, len(name)]).permutation(np.arange(200) < share * 200)
    metric = HELD_OUT if cell.augment else "accuracy"
    measured = (
        {} if failed else {"metrics": {metric: share}, "predictions": correct_bits(right), "examples": 200}
    )
    config = {"train": asdict(cell.stage.train), "why": cell.why}
    given = {
        "metrics": {},
        "curves": {"step": [1, 2], "loss": [2.0, 1.0]},
        "machine": {"threads": 2},
    } | measured
    return {(name, seed): Run("bibench", name, seed, config, "", {}, seconds=30.0, failed=failed, **given)}


def matrix(records):
    columns = map(tracks.column, bibench.NETWORKS)
    return tracks.Matrix(records, leaderboard.board(records, bibench.EXPERIMENT.compared, columns), {}, {})


@pytest.fixture
def partly(monkeypatch):
    """Two networks with three operators, of which one failed on one of them; all else was not run."""
    records = {}
    for network in ("digits-cnn", "digits-vit"):
        for row, share in ROWS.items():
            records |= record(f"{network}.{row}", share)
    for rate, share in (("1", 0.8), ("0.3", 0.7), ("3", 0.9)):
        records |= record(f"digits-cnn.reactnet.lr-{rate}", share)
    records |= record("digits-vit.bnn", 0, failed="the loss is nan at step 7")
    records |= record("digits-cnn.reactnet", 0.92, seed=1)
    found = matrix(records)
    monkeypatch.setattr(cache, "matrix", lambda: found)
    monkeypatch.setattr(cache, "theory", lambda row, columns: 40.0 + len(columns))
    return found


def complaints(app):
    return [each.value for kind in ("exception", "error", "warning") for each in app.get(kind)]


def said(app):
    return " ".join(each.value for kind in ("markdown", "caption", "info", "code") for each in app.get(kind))


def test_with_nothing_run_it_says_how_to_begin(visit, monkeypatch):
    floats = record("digits-cnn.float", 0.9)
    monkeypatch.setattr(cache, "matrix", lambda: matrix(floats))
    app = visit("evidence", part="Leaderboard")
    assert not complaints(app)
    assert "binviz reproduce bibench" in said(app) and "Nothing was run yet" in said(app)
    assert "from memory" in app.expander[0].label and said(app).count("**It hides**") == len(tracks.TRACKS)
    assert not app.slider and not app.get("plotly_chart")


def test_part_of_the_matrix_is_ranked_and_weights_change_it_at_once(visit, partly):
    app = visit("evidence", part="Leaderboard")
    assert not complaints(app)
    table = app.dataframe[0].value.set_index("operator")
    assert list(table.index[:3]) == ["float model", "ReActNet", "Bi-Real"]
    assert table.loc["plain signs", "digits ViT"] == "failed" and table.loc["FDA", "digits CNN"] == "not run"
    assert table.loc["ReActNet", "digits CNN"].endswith("(2)") and "±" in table.loc["ReActNet", "digits CNN"]
    assert "plain signs (failed on digits ViT)" in said(app)
    assert {each.key for each in app.slider} == {"weight-digits-cnn", "weight-digits-vit"}

    app.slider(key="weight-digits-vit").set_value(0.0).run()
    ranks = app.dataframe[0].value.set_index("operator")["rank"]
    assert ranks["plain signs"] == "3" and "".join(app.query_params["weight-digits-vit"]) == "0"
    drawn = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert drawn["layout"]["yaxis"]["ticktext"][-1] == "3  plain signs"
    app.slider(key="weight-digits-cnn").set_value(0.0).run()
    assert not complaints(app) and "Give a network some weight" in said(app)


def test_a_link_leads_to_a_cell_with_its_search_and_its_command(visit, partly):
    app = visit("evidence", cell="digits-cnn.reactnet")
    assert not complaints(app)
    assert "0.005, of 0.0015 (70.0 %), 0.005 (80.0 %), 0.015 (90.0 %)" in said(app)
    assert "binviz reproduce bibench --cell digits-cnn.reactnet\n" in said(app) and "--seed 2" in said(app)
    assert "/evidence?part=Runs&run=bibench%2Fdigits-cnn.reactnet%2F0" in said(app)
    app.selectbox(key="cell").set_value("digits-vit.bnn").run()
    assert "the loss is nan at step 7" in said(app)
    app.selectbox(key="cell").set_value("sst2.bnn").run()
    assert "Nothing was run yet for plain signs on SST-2:" in said(app) and not complaints(app)


@pytest.mark.slow
def test_an_operator_of_the_users_is_a_row_with_its_own_command(visit, tmp_path, monkeypatch):
    mine = "points.mine"
    (run,) = record("points.bnn", 0.7).values()
    runs.write(replace(run, cell=mine), tmp_path / "runs")
    for rate in ("1", "0.3", "3"):
        (run,) = record(f"points.bnn.lr-{rate}", 0.6).values()
        runs.write(replace(run, cell=f"{mine}.lr-{rate}"), tmp_path / "runs")
    found = tracks.read(tmp_path)
    monkeypatch.setattr(cache, "matrix", lambda: found)
    app = visit("evidence", part="Leaderboard", cell=mine)
    assert not complaints(app)
    assert "--operator my.py:mine --cell points.mine --seed 1" in said(app)
    (column,) = (each for each in found.board.columns if each.name == "points")
    assert tracks.number(found.board, "mine", column).startswith("70.0")
    assert tracks.minutes(found, "mine", [column]) == pytest.approx(4 * 30.0 * 2 / 60)
    assert tracks.theory("mine", [column]) is None
    assert found.board.rows[:-1] == tracks.read().board.rows


def test_a_click_on_the_matrix_is_a_cell(partly, monkeypatch):
    put = {}
    monkeypatch.setattr(leaderboard_tab.state, "put", put.__setitem__)
    chosen = {"leaderboard": {"selection": {"cells": [(1, "SST-2")]}}}
    monkeypatch.setattr(leaderboard_tab.st, "session_state", chosen)
    titles = {tracks.title(each): each.name for each in partly.board.columns}
    leaderboard_tab.pick(["float", "bnn"], titles)
    assert put == {"cell": "sst2.bnn"}
    chosen["leaderboard"]["selection"]["cells"] = [(1, "score")]
    leaderboard_tab.pick(["float", "fda"], titles)
    assert put == {"cell": "sst2.bnn"}


def test_tracks_are_a_table_with_what_is_not_measured_named(visit, partly):
    app = visit("evidence", part="Leaderboard", columns="tracks")
    assert not complaints(app)
    table = app.dataframe[0].value.set_index("operator")
    assert table.loc["ReActNet", "theory (times)"] == "42.0"
    assert table.loc["plain signs", "learning task (% of float)"] == ""
    assert "Not measured here: corruption, training, inference." in said(app)
    assert "With search: only over digits CNN." in said(app)


def test_tracks_are_their_definitions(partly):
    columns = {column.name: column for column in partly.board.columns}
    cnn, vit = columns["digits-cnn"], columns["digits-vit"]
    assert tracks.minutes(partly, "reactnet", [cnn]) == pytest.approx(4 * 30.0 * 2 / 60)
    assert tracks.minutes(partly, "bnn", [cnn]) is None
    ratios = [np.mean([0.9, 0.92]) / 0.95, 0.9 / 0.95]
    by_task = tracks.over(partly.board, "reactnet", [cnn, vit], ["digits", "digits"])
    assert by_task.value == pytest.approx(np.mean(ratios))
    i, j = partly.board.rows.index("reactnet"), [partly.board.columns.index(each) for each in (cnn, vit)]
    drawn = (partly.board.draws[:, i, j] / partly.board.draws[:, 0, j]).mean(axis=1)
    assert by_task.half == pytest.approx(np.diff(np.quantile(drawn, [0.025, 0.975])).item() / 2) != 0
    assert by_task.told(100) == f"{100 * by_task.value:.1f} ±{100 * by_task.half:.1f}"
    by_kind = tracks.over(partly.board, "reactnet", [cnn, vit], ["CNN", "transformer"])
    assert by_kind.value == pytest.approx(overall.quadratic_mean(ratios))
    assert tracks.over(partly.board, "bnn", [cnn, vit], ["CNN", "transformer"]) is None


def test_training_is_of_a_step_and_of_the_spread_over_all_settings(partly):
    cnn = [column for column in partly.board.columns if column.name == "digits-cnn"]
    assert tracks.spread(partly, "reactnet", cnn) is None  # two settings were not tried
    records = dict(partly.records)
    for row, shares in (("reactnet", [0.8, 0.7, 0.9, 0.6, 0.8]), ("float", [0.9, 0.9, 0.9, 0.8, 0.9])):
        for suffix, share in zip(tracks.SETTINGS, shares, strict=True):
            records |= record(f"digits-cnn.{row}.{suffix}", share)
    metrics = {
        "step_seconds": 0.2,
        "step_seconds_float": 0.1,
        "answer_seconds": 0.01,
        "answer_seconds_float": 0.02,
    }
    metrics |= {"bytes": 100.0, "bytes_float": 3000.0}
    costs = {"digits-cnn.reactnet": Run("efficiency", "digits-cnn.reactnet", 0, {}, "", {}, metrics, 1.0)}
    found = partly._replace(records=records, costs=costs)
    spreads = [pstdev([0.8, 0.7, 0.9, 0.6, 0.8]), pstdev([0.9, 0.9, 0.9, 0.8, 0.9])]
    assert tracks.spread(found, "reactnet", cnn) == pytest.approx(spreads[0])
    assert tracks.training(found, "reactnet", cnn) == pytest.approx(
        overall.quadratic_mean([0.5, spreads[1] / spreads[0]])
    )
    assert tracks.inference(found, "reactnet", cnn) == pytest.approx(overall.quadratic_mean([2.0, 30.0]))
    assert tracks.training(found, "bnn", cnn) is None and tracks.inference(found, "bnn", cnn) is None


def test_corruption_is_of_gaps_above_0(partly):
    columns = [column for column in partly.board.columns if column.name == "digits-cnn"]

    def under(clean, **right):
        return Robustness("", "", "digits", {}, 200, 0.1, 0, clean, right, 1.0)

    found = partly._replace(
        corrupted={
            "digits-cnn.float": under(190, fog=[170] * 5, blur=[190] * 5, dust=[150] * 5),
            "digits-cnn.bnn": under(150, fog=[110] * 5, blur=[100] * 5, dust=[130, 130, 130, 110, 150]),
        }
    )
    expected = overall.robust([0.75], [[0.55], [0.65]], [0.95], [[0.85], [0.75]])
    assert tracks.corruption(found, "bnn", columns) == pytest.approx(expected)
    assert tracks.corruption(found, "reactnet", columns) is None


def test_records_of_corruptions_are_the_cells_and_not_those_of_bundled_models_of_the_same_name(monkeypatch):
    def shipped(experiment=""):
        own = {"digits-cnn.bnn.seed0": "own", "digits-cnn.bnn.seed1": "another seed"}
        return own if experiment else {"digits-cnn.float": "float", "digits-cnn.reactnet": "bundled"}

    monkeypatch.setattr(tracks.robustness, "records", shipped)
    found = tracks.read().corrupted
    assert {name: found[name] for name in found if name.startswith("digits-cnn")} == {
        "digits-cnn.float": "float", "digits-cnn.bnn": "own",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["digits-cnn", "speech", "points"])
def test_what_a_track_saves_is_counted_as_the_page_trade_offs_counts_it(name):
    columns = [tracks.column(each) for each in bibench.NETWORKS if each.name == name]
    assert 1 < tracks.theory("bnn", columns) < 64


def test_one_answer_to_everything_is_marked():
    board = cache.matrix().board
    (sst2,) = [each for each in board.columns if each.name == "sst2"]
    told = {row: tracks.number(board, row, sst2) for row in ("bnn", "dorefa")}
    assert told["bnn"].startswith("50.9 ") and told["bnn"].endswith(f" {tracks.SAME}")
    assert tracks.SAME not in told["dorefa"]
    assert leaderboard.weights_at_first(board)[board.columns.index(sst2)] == 0
