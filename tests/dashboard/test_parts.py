import ast
import asyncio
import doctest
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from binviz_dashboard import (
    activations,
    lab,
    launch,
    models,
    priced,
    product,
    recorded,
    speed,
    state,
    style,
    subject,
    tour,
    tracks,
)
from starlette.responses import PlainTextResponse

from binviz import UserError, analysis, binarizers, costs, plots, tasks, zoo
from binviz.bench import roofline
from binviz.bench.timing import Spread
from binviz.layers import BinaryLinear
from binviz.tasks import text

PACKAGE = Path(launch.__file__).parent
THEME = tomllib.loads((PACKAGE / "theme.toml").read_text())["theme"]


@pytest.mark.parametrize(
    "module",
    [activations, lab, models, priced, product, recorded, speed, state, style, subject, tour, tracks],
    ids=lambda module: module.__name__,
)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_nothing_is_sent_anywhere():
    assert {"--browser.gatherUsageStats=false", "--server.address=localhost"} <= set(launch.arguments())
    assert "http" not in (PACKAGE / "theme.toml").read_text()


def test_both_themes_have_the_charts_colours():
    assert THEME["light"]["primaryColor"] != THEME["dark"]["primaryColor"]
    assert THEME["chartCategoricalColors"][:8] == plots.theme.CATEGORICAL
    assert {len(value) for key, value in THEME.items() if key.startswith("chart")} == {10}


def test_pages_are_thin_and_only_one_module_caches():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        limit = {"app": 60}.get(path.stem, 120 if path.parent.name == "views" else 450)
        assert text.count("\n") < limit, path
        if path.stem != "cache":
            assert not [
                node for node in ast.walk(ast.parse(text)) if getattr(node, "attr", "").startswith("cache_")
            ]


def test_every_widget_has_a_key():
    widgets = {
        "selectbox",
        "slider",
        "toggle",
        "number_input",
        "text_area",
        "text_input",
        "button",
        "tabs",
        "segmented_control",
        "file_uploader",
    }
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in widgets:
                assert "key" in {keyword.arg for keyword in node.keywords}, ast.unparse(node)


def test_the_command_line():
    assert launch.arguments(9000, browser=False)[-2:] == ["--server.headless=true", "--server.port=9000"]
    assert launch.arguments()[-1] == "--server.headless=false"


def test_settings_go_before_the_environment_and_reach_the_server(monkeypatch):
    import streamlit.config as config
    from streamlit.web import bootstrap

    seen = {}
    wanted = (
        "browser.gatherUsageStats",
        "server.address",
        "theme.chartCategoricalColors",
        "theme.dark.primaryColor",
    )
    monkeypatch.setattr(
        bootstrap,
        "run_asgi_app",
        lambda *args: seen.update({name: config.get_option(name) for name in wanted}),
    )
    monkeypatch.setenv("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "true")
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    launch.run(9000, browser=False)
    assert list(seen.values()) == [
        False,
        "localhost",
        THEME["chartCategoricalColors"],
        THEME["dark"]["primaryColor"],
    ]


def asked(inner, path="/"):
    """What a browser gets from an app behind our layer: status, headers, body."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    asyncio.run(style.Styled(inner)(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body.decode()


@pytest.mark.parametrize(
    ("status", "kind", "styled"),
    [(200, "text/html; charset=utf-8", True), (200, "text/css", False), (304, "text/html", False)],
)
def test_our_style_is_in_the_head_of_every_page_and_nothing_else_is_touched(status, kind, styled):
    inner = PlainTextResponse("as it was", status, media_type=kind)
    got, headers, body = asked(inner)
    assert got == status
    if styled:
        assert style.SHEET in body.partition("</head>")[0] and "static/js/index" in body
        assert int(headers[b"content-length"]) == len(body.encode())
    else:
        assert body == "as it was" and headers[b"content-type"].startswith(kind.encode())


def test_only_who_is_asked_for_is_let_in(monkeypatch):
    assert "--server.address=localhost" in launch.arguments()
    assert "--server.address=0.0.0.0" in launch.arguments(address="0.0.0.0")
    monkeypatch.setattr(launch, "warm", lambda: pytest.fail("the address was not looked at"))
    with pytest.raises(UserError, match="no address of this machine"):
        launch.run(address="192.0.2.1")


@pytest.mark.parametrize("port", [80, 70_000])
def test_a_port_that_cannot_be_used(port):
    with pytest.raises(UserError, match="choose"):
        launch.run(port)


def test_the_slope_is_the_gradient():
    for name in binarizers.names():
        x = lab.draw("normal", 0.1, 0.7, seed=1)
        measured = lab.measure(lab.Lab(name), x)
        made = binarizers.get(name)
        assert sum(measured.codes.values()) == made.bit_count * x.size
        assert np.isfinite(measured.output).all()
        assert np.isfinite(measured.slope).all()
        assert set(measured.codes) == set(made.levels), name


def test_the_lab_finds_the_known_optimum_of_a_normal():
    x = lab.draw("normal", 0.0, 1.0, seed=0)
    signs, scaled = (lab.measure(lab.Lab(name), x) for name in ("bnn", "xnor-activation"))
    assert signs.scale.best == pytest.approx(np.sqrt(2 / np.pi), abs=0.01)
    assert scaled.scale.best == pytest.approx(1)
    assert scaled.error == pytest.approx(100 * (1 - 2 / np.pi), abs=0.7)
    assert scaled.threshold.best == pytest.approx(0, abs=0.1)


def test_a_learned_value_changes_the_error():
    x = lab.draw("normal", 0.0, 1.0, seed=0)
    start = lab.measure(lab.Lab("elastic-signed"), x)
    better = lab.measure(lab.Lab("elastic-signed", by_hand=(("alpha", 0.5),)), x)
    assert start.learned["alpha"] == pytest.approx([2 * np.abs(x).mean()] * 2, rel=1e-5)
    assert better.error < start.error


def test_a_schedule_is_followed():
    x = lab.draw("normal", 0.0, 0.5, seed=0)
    slopes = [lab.measure(lab.Lab("fda-activation", progress=t), x).slope.max() for t in (0.0, 1.0)]
    assert slopes[0] < slopes[1]


def test_large_arrays_are_cut_and_long_rows_folded():
    assert lab.as_rows(np.zeros((3, 10_000), np.float32)).shape == (3, lab.MAX_COLUMNS)
    assert lab.as_rows(np.zeros((2000, 2000), np.float32)).size <= lab.MAX_VALUES
    assert lab.as_rows(np.zeros(5, np.float32)).shape == (1, 5)


def test_what_no_page_can_show_is_offered_by_none(monkeypatch):
    """A pair of models of sounds and one of points beside those that are bundled; and one of pictures."""
    bundled = subject.subjects()
    added = {
        f"{task}-{arch}.{recipe}": replace(
            zoo.describe("digits-cnn.float"), task=task, arch=arch, recipe=recipe
        )
        for task, arch in (("speech", "cnn"), ("points", "pointnet"), ("digits", "mixer"))
        for recipe in ("float", "bnn")
    }
    added = {name: replace(entry, name=name) for name, entry in added.items()}
    known = {name: zoo.describe(name) for name in zoo.names()} | added
    monkeypatch.setattr(zoo, "names", lambda: list(known))
    monkeypatch.setattr(zoo, "describe", known.__getitem__)
    assert set(subject.subjects()) - set(bundled) == {"digits-mixer.bnn"}
    assert subject.of("digits-mixer.bnn").title == "digits, MLP-Mixer: plain signs"
    assert set(subject.subjects(attending=True)) == {name for name, each in bundled.items() if each.attends}


def test_subjects_are_a_1_bit_model_and_the_float_one_that_it_was_made_from():
    for name, each in subject.subjects().items():
        assert each.name == name and each.teacher.recipe == "float" != each.binary.recipe
        assert (each.teacher.task, each.teacher.arch) == (each.binary.task, each.binary.arch)


def test_a_long_text_says_how_much_was_left_out():
    class Tokenizer:
        def __call__(self, texts, truncation=False, max_length=None, **rest):
            ids = [1, *range(2, 2 + len(texts[0].split())), 3]
            ids = [*ids[: max_length - 1], 3] if truncation and len(ids) > max_length else ids
            return {"input_ids": np.array([ids]) if rest else [ids]}

        def convert_ids_to_tokens(self, ids):
            return [str(each) for each in ids]

    example = text.sentence("word " * 100, "x", Tokenizer())
    assert example.cut == 102 - text.MAX_TOKENS
    assert len(example.tokens) == text.MAX_TOKENS - 2


def test_families_keep_the_order_of_layers():
    names = ["0.in", "0", "layers.0.q", "layers.10.q", "stem.conv"]
    assert activations.families(names) == {
        "*.in": ["0.in"],
        "*": ["0"],
        "layers.*.q": ["layers.0.q", "layers.10.q"],
        "stem.conv": ["stem.conv"],
    }


@pytest.mark.parametrize("signed", [True, False])
def test_counting_bits_is_multiplying_codes(signed):
    rng = np.random.default_rng(0)
    for length in range(1, 17):
        texts = [" ".join(map(str, rng.normal(size=length).round(2))) for _ in range(2)]
        step = product.step(*texts, signed=signed)
        assert product.dot(step) == step.a_codes @ step.w_codes
        assert product.in_words(step).endswith(rf"= {product.dot(step)}\end{{aligned}}")


def test_a_zero_is_plus_one_and_a_half_is_not_above_a_half():
    assert product.step("0 -0.0", "0 -0", signed=True).a_codes.tolist() == [1, 1]
    assert product.step("0.5 0.51 -3", "0 -0 1", signed=False).a_codes.tolist() == [0, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", subject.subjects())
def test_every_one_bit_linear_gives_the_models_own_numbers(name):
    model = zoo.load(name).eval()
    task = tasks.of_model(name)
    example = task.example(1, name, task.tokenizer(name))
    if "cnn" in name:
        with pytest.raises(UserError, match="only convolutions"):
            product.places(model)
        return
    found = product.places(model)
    assert {place.path for place in found.values()} == {
        path for path, module in model.named_modules() if isinstance(module, BinaryLinear)
    }
    wanted = [each for place in found.values() for each in (*place.inputs, place.path)]
    seen = analysis.capture(model, example.inputs, wanted)
    for place in found.values():
        last = seen[place.path].size // place.outputs - 1
        for token, row in ((0, 0), (last, place.outputs - 1), (last // 2, 7)):
            met = product.meet(model, place, seen, token, row)
            assert met.output == met.models
            assert met.dot == (2 * met.a_bits - 1 if met.signed else met.a_bits) @ (2 * met.w_bits - 1)
            assert met.dot * met.scale + met.added == pytest.approx(met.output, rel=1e-4, abs=1e-4)


def test_costs_by_layer_are_all_costs():
    counted = priced.untrained("BERT-base", "bit-w1a2", tokens=16)
    units = {"MiB": 2**20, "KiB": 2**10, "MB": 1e6, "kB": 1e3, "million": 1e6, "thousand": 1e3}
    for rule in costs.rules.names():
        under = counted.under(rule)
        for what, total in (("operations", under.operations), ("memory", under.bytes)):
            layers, amounts, unit, origins = priced.by_layer(under, what)
            assert {name: len(values) for name, values in origins.items()} == dict.fromkeys(
                amounts, len(layers)
            )
            factor = units[unit.split()[0]]
            assert factor * sum(map(sum, amounts.values())) == pytest.approx(total)
            assert all(len(values) == len(layers) for values in amounts.values())
        assert rule in priced.about(rule)
        assert all(rule in column for column in priced.table(under).columns[-3:-1])


def test_two_visitors_do_not_measure_each_other(monkeypatch):
    refused = []

    def measure(rows, inputs, outputs, rounds):
        with pytest.raises(UserError, match="somebody else"):
            speed.race("768 → 768", 1, lambda share, text: None)
        refused.append(rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(speed.roofline, "measure", measure)
    for _ in range(2):  # the turn is given back
        with pytest.raises(KeyboardInterrupt):
            speed.race("768 → 768", 1, lambda share, text: None)
    assert refused == [1, 1]


def contest(rows, bits, torch_ratio=20.0):
    steady = Spread(bits, 0.99 * bits, 1.01 * bits)
    seconds = 2 * rows * 768 * 768 / 1e12
    return roofline.Contest(
        rows, 768, 768,
        seconds={"binviz": Spread(seconds, seconds, seconds), "float32": Spread(20 * seconds, 1, 1),
                 "bfloat16": Spread(9 * seconds, 1, 1)},
        ratio={"float32": Spread(torch_ratio, 19.0, 21.0)},
        limit=steady, float_limit=Spread(1e11, 1e11, 1e11),
    )  # fmt: skip


def a_map(unsteady=0.0):
    """As `binviz.bench.crossover.measure` gives it, of four sizes."""
    cells = [
        {"rows": m, "size": k, "seconds": {"1 bit": 1e-6 * m, "2 bits": 2e-6 * m, "4 bits": 5e-6 * m, "float32": 3e-6}}
        for m in (1, 8) for k in (64, 128)
    ]  # fmt: skip
    formats = ["1 bit", "2 bits", "4 bits", "float32"]
    left_out = {"int8": "this torch has none"}
    return {"threads": 1, "formats": formats, "left_out": left_out, "unsteady": unsteady, "cells": cells}


def test_a_map_is_drawn_among_the_formats_that_are_asked_for():
    seen = speed.Map(a_map(), "a machine")
    for among, formats in speed.AMONG.items():
        sizes = speed.sizes(seen, among)
        assert [(size.rows, size.size) for size in sizes] == [(1, 64), (1, 128), (8, 64), (8, 128)]
        assert all(set(size.seconds) == set(formats) & set(seen.found["formats"]) for size in sizes)
        plots.crossover(sizes)
    about = speed.about_map(seen)
    assert "Without int8: this torch has none." in about and about.endswith(
        "Measured on a machine, one thread."
    )


def test_accepted_maps_name_their_machine_and_older_records_have_none(monkeypatch):
    about = {"cpu": "Example 9000", "cores": 2, "flags": ["avx2"]}
    shipped = {"old": {"machine": about}, "new": {"machine": about, "crossover": a_map()}}
    monkeypatch.setattr(speed.records, "shipped", lambda: shipped)
    assert speed.accepted_maps() == {"new": speed.Map(a_map(), "Example 9000, 2 cores (avx2)")}


def test_maps_and_races_do_not_measure_each_other(monkeypatch):
    def measure(tell):
        with pytest.raises(UserError, match="somebody else"):
            speed.race("768 → 768", 1, lambda share, text: None)
        return a_map()

    monkeypatch.setattr(speed.crossover, "measure", measure)
    assert speed.measure_map(lambda share, text: None).found == a_map()


def test_a_race_is_judged_by_the_best_limit_that_was_seen():
    race = speed.Race(contest(128, 2e12), [contest(1, 1.99e12)], 2e10, "a machine")
    assert not race.disturbed
    assert race.limit == 2.02e12
    theory, measured = speed.ratios(race)
    assert theory["papers' operations"] == 64
    assert theory["this core's limits"] == pytest.approx(20.2)
    assert measured == {"torch float32 / ours": [20.0, 19.0, 21.0]}
    assert speed.times(race)["torch float32"][1] == "20 times ours"
    assert "50 %" in speed.times(race)["1-bit layer, packing included"][1]
    assert "a machine" in speed.explanation(race)


def test_no_two_jobs_have_one_key():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "jobs.offer":
                found.append(node.args[1].value)
    assert len(found) == len(set(found)) > 5
