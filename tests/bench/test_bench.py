"""The benchmark's arithmetic and its refusals; never how fast anything is."""

import json
import os
import subprocess
import sys
from itertools import chain, repeat

import numpy as np
import pytest
import torch
import transformers
from binviz_kernels import forms
from typer.testing import CliRunner

from binviz import cli
from binviz.bench import (
    crossover,
    distances,
    imports,
    kernels,
    limit,
    machine,
    models,
    peers,
    products,
    quiet,
    records,
    report,
    restricted,
    run,
    steps,
    targets,
    timing,
)
from binviz.errors import UserError
from binviz.training.settings import TrainConfig

CPUINFO = """\
processor\t: 0
model name\t: Example 9000
flags\t\t: fpu popcnt avx2 avx512f
processor\t: 1
model name\t: Another
"""


def test_contestants_take_turns_and_each_round_starts_with_the_next():
    calls = []
    names = "abc"
    functions = {name: (lambda name=name: calls.append(name)) for name in names}
    samples = timing.interleave(functions, rounds=3, seconds=0.0)
    assert {name: len(times) for name, times in samples.items()} == dict.fromkeys(names, 3)
    assert "".join(calls) == "abc" + "abc" + "abc" + "bca" + "cab"


def test_a_fast_function_is_called_more_often(monkeypatch):
    monkeypatch.setattr(timing, "_time", lambda function, calls: calls * function())
    samples = timing.interleave({"fast": lambda: 0.001, "slow": lambda: 1.0}, rounds=2, seconds=0.1)
    assert samples == {"fast": [pytest.approx(0.001)] * 2, "slow": [1.0] * 2}


def test_ratios_are_taken_round_by_round():
    # The machine is ten times slower in the second round: the ratio does not move.
    assert timing.ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == (2.0, 2.0, 2.0)


def test_the_machine_is_described_from_its_cpuinfo(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(CPUINFO)
    described = machine.describe(file)
    assert described["cpu"] == "Example 9000"
    assert described["flags"] == ["popcnt", "avx2", "avx512f"]
    assert machine.describe(tmp_path / "none")["cpu"]
    json.dumps(described)


@pytest.fixture
def no_clock(monkeypatch):
    """Every contestant is called once and takes a second; nobody's number of threads is touched."""

    def one_second_each(functions, *_):
        assert all(function() is not None for function in functions.values())
        return {name: [1.0] for name in functions}

    for program in (limit, kernels, products, distances, models, crossover, steps):
        monkeypatch.setattr(program, "interleave", one_second_each)
    for program in (kernels, models, crossover, steps):
        monkeypatch.setattr(program, "set_threads", lambda threads: None)


@pytest.fixture
def small(monkeypatch, no_clock):
    """The whole program, but everything in it is small, and nothing takes a process of its own."""
    monkeypatch.setattr(kernels, "LAYERS", [(64, 32)])
    monkeypatch.setattr(kernels, "ROWS", [3])
    monkeypatch.setattr(products, "SHAPES", [(3, 64, 32)])
    monkeypatch.setattr(distances, "SHAPES", [(3, 32, 64)])
    monkeypatch.setattr(models, "CASES", {"BERT-base": models.Case(small_bert, ("bit-w1a1",), (1, 2))})
    monkeypatch.setattr(steps, "minilm", small_bert)
    monkeypatch.setattr(crossover, "SIZES", (64,))
    monkeypatch.setattr(crossover, "ROWS", (1, 3))
    monkeypatch.setattr(peers, "measure", lambda threads, rounds: PEERS)
    monkeypatch.setattr(restricted, "available", lambda: False)
    monkeypatch.setattr(imports, "measure", lambda: {"median": 0.1, "low": 0.1, "high": 0.1})
    monkeypatch.setattr(quiet, "speedup", lambda rounds: 1.9)


PEERS = {
    "lines": [
        {
            "model": "BERT-base", "recipe": "bit-w1a1", "threads": 1, "batch": 1, "tokens": 128,
            "seconds": {name: {"median": 1.0, "low": 1.0, "high": 1.0} for name in ("binviz", "onnxruntime int8")},
            "ratio": {"onnxruntime int8": {"median": 5.5, "low": 5.0, "high": 6.0}},
        }
    ],
    "largest_difference": {"onnxruntime int8": 0.07},
    "left_out": {"openvino": "not installed: pip install binviz[bench]"},
}  # fmt: skip


def small_bert():
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=1000, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
        )
    )


def small_vit():
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=32
        )
    )


def test_every_contestant_computes_the_layer():
    for function in kernels.contestants(3, 64, 32).values():
        assert function().shape == (3, 32)


@pytest.mark.parametrize(("make", "classes"), [(small_bert, 2), (small_vit, 2)], ids=["text", "pictures"])
def test_every_contestant_computes_the_model(make, classes, monkeypatch):
    monkeypatch.setattr(models, "describe", lambda: {"flags": ["amx_bf16"]})
    built = models.build(models.Case(make, ("bibert", "bivit-w1a1"), (3,)))
    assert list(built)[:4] == ["bibert", "bivit-w1a1", "float32", "bfloat16"]
    with torch.inference_mode():
        for function in models.contestants(built, 3).values():
            assert function().shape == (3, classes)


@pytest.mark.parametrize("flag", ["avx2", "amx_bf16"])
def test_bfloat16_competes_where_a_processor_has_instructions_for_it(no_clock, monkeypatch, flag):
    for part in (kernels, models):
        monkeypatch.setattr(part, "describe", lambda: {"flags": [flag]})
    line, built = kernels.measure(1, 3, 64, 32, 1), models.build(models.Case(small_bert, ("bibert",), (1,)))
    assert ("bfloat16" in line["ratio"]) == ("bfloat16" in built) == (flag == "amx_bf16")
    table = report.layers({"layers": [line]})
    assert ("left out" in (table.caption or "")) == (flag == "avx2")


def test_recipes_of_one_model_are_lines_beside_the_same_torch(no_clock, monkeypatch):
    case = models.Case(small_bert, ("bibert", "bivit-w1a1"), (2,))
    monkeypatch.setattr(models, "CASES", {"small": case})
    lines = models.measure("small", models.build(case), threads=1, batch=2, rounds=1)
    assert [line["recipe"] for line in lines] == ["bibert", "bivit-w1a1"]
    assert all(set(line["seconds"]) >= {"binviz", "float32"} for line in lines)
    assert all("bibert" not in line["seconds"] and "binviz" not in line["ratio"] for line in lines)


def test_a_step_trains(monkeypatch):
    monkeypatch.setattr(steps, "CONFIG", TrainConfig(steps=1, lr=0.1))
    torch.manual_seed(0)
    ids = torch.randint(1000, (4, 8))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(4) % 2}
    model = small_bert()
    before = model.classifier.weight.detach().clone()
    taken = steps.contestants(model, batch)
    assert list(taken) == ["float", "binary", "distilled"]
    assert all(np.isfinite(take()) for take in taken.values())
    assert not torch.equal(model.classifier.weight, before)


def test_distances_agree_among_the_libraries_that_are_installed():
    functions = distances.contestants(3, 5, 128)
    ours = functions.pop("binviz")()
    assert ours.shape == (3, 5)
    for function in functions.values():
        np.testing.assert_array_equal(np.asarray(function()), ours)


def test_the_limit_is_a_speed():
    limits = limit.measure(rounds=2)
    assert limits.keys() == limit.WAYS.keys() and limit.best(limits).median > 0


def test_a_share_is_the_limits_time_over_ours_for_as_many_operations(no_clock):
    result = products.measure(3, 64, 32, 1)
    shares = {name: 2 * 3 * 64 * 32 / way.operations for name, way in limit.WAYS.items()}
    assert result["share"]["median"] == pytest.approx(min(shares.values()))
    assert result["counting"]["median"] == pytest.approx(shares["counting"])
    assert {bits: ratio["median"] for bits, ratio in result["bits"].items()} == {"2": 1, "ternary": 1, "4": 1}


@pytest.mark.slow
def test_the_import_is_measured_in_a_new_process():
    assert imports.measure(rounds=1)["median"] > 0


def test_everything_is_measured_printed_and_written(small, tmp_path):
    place = tmp_path / "folder" / "bench.json"
    shown = CliRunner().invoke(cli.app, ["bench", "--out", str(place), "--threads", "1"])
    assert shown.exit_code == 0, shown.output
    record = records.read(place)
    assert (record["busy"], set(record["two_threads_over_one"])) == (False, {1.9})
    (layer,) = record["layers"]
    assert layer["ratio"]["float32"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert [(line["batch"], line["threads"]) for line in record["models"]] == [(1, 1), (2, 1)]
    assert len(record["products"]) == len(record["distances"]) == len(record["steps"]) == 1
    assert record["peers"] == PEERS
    assert [(cell["rows"], cell["size"]) for cell in record["crossover"]["cells"]] == [(1, 64), (3, 64)]
    for text in ("64 -> 32", "3 x 64 -> 32", "3 x 32, 64 bits", "BERT-base", "missed by", "aim reached"):
        assert text in shown.output
    for text in (machine.kernel_form().split(",")[0], "int8 matrix units", "onnxruntime int8", "K = 64"):
        assert text in shown.output
    assert "pip install binviz[bench]" in shown.output


def test_a_quick_run_measures_less(small, tmp_path):
    shown = CliRunner().invoke(cli.app, ["bench", "--quick", "--out", str(tmp_path / "quick.json")])
    assert shown.exit_code == 0, shown.output
    record = records.read(tmp_path / "quick.json")
    assert record["quick"] and {line["batch"] for line in record["models"]} == {1}
    assert not {"peers", "crossover"} & record.keys()


@pytest.mark.parametrize("when", [0, 3], ids=["before", "in between"])
def test_a_machine_that_stays_busy_is_refused(when, small, monkeypatch, tmp_path):
    looks = chain([1.9] * when, repeat(1.2))
    monkeypatch.setattr(quiet, "speedup", lambda rounds: next(looks))
    with pytest.raises(UserError, match=r"only 1\.20 times as fast as one.*--busy"):
        run.command(quick=True, out=tmp_path / "out.json", threads=("1",), busy=False)
    assert not (tmp_path / "out.json").exists()


def test_what_was_measured_on_a_busy_machine_is_measured_again(monkeypatch):
    looks = iter([1.2, 1.9, 1.2, 1.1, 1.9, 1.8])
    monkeypatch.setattr(quiet, "speedup", lambda rounds: next(looks))
    times, waits = iter([7.0, 1.0]), []
    assert quiet.between(lambda: next(times), lambda: waits.append("busy")) == (
        1.0,
        [1.2, 1.9, 1.2, 1.1, 1.9, 1.8],
    )
    assert len(waits) == 2


def test_a_busy_machine_is_measured_if_asked_to(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(quiet, "speedup", lambda rounds: 1.2)
    run.command(quick=True, out=tmp_path / "out.json", threads=("1",), busy=True)
    assert records.read(tmp_path / "out.json")["busy"] is True
    assert "these numbers are nobody's" in capsys.readouterr().out


def test_one_core_cannot_be_looked_at_and_is_not_refused(monkeypatch):
    monkeypatch.setattr(quiet, "usable_cores", lambda: 1)
    assert quiet.speedup(1) is None
    assert quiet.between(lambda: 1.0) == (1.0, [None, None])


@pytest.mark.parametrize("threads", ["0", "100000", "-1", "1.5", "two", "²"])
def test_numbers_of_threads_that_are_refused(threads):
    with pytest.raises(UserError, match="--threads takes numbers from 1 to"):
        run.command(quick=True, out=None, threads=(threads,), busy=False)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path, small, monkeypatch):
    monkeypatch.setattr(quiet, "speedup", lambda rounds: pytest.fail("it measured"))
    with pytest.raises(UserError, match="cannot write"):
        run.command(quick=True, out=tmp_path, threads=("1",), busy=False)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        run.command(quick=True, out=tmp_path / "file" / "bench.json", threads=("1",), busy=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"machine": 1}', "[" * 100_000], ids=range(5))
def test_what_is_no_record_is_refused(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=r"x\.json is no record of a benchmark"):
        records.read(tmp_path / "x.json")
    with pytest.raises(UserError, match="is no record of a benchmark"):
        records.read(tmp_path / "none.json")


@pytest.mark.parametrize("part", ["peers", "crossover"])
def test_a_later_part_of_another_kind_is_refused_and_may_be_missing(part, tmp_path):
    old = {name: kind() for name, kind in records.PARTS.items()}
    (tmp_path / "x.json").write_text(json.dumps(old))
    assert records.read(tmp_path / "x.json") == old
    (tmp_path / "x.json").write_text(json.dumps(old | {part: [1]}))
    with pytest.raises(UserError, match="is no record of a benchmark"):
        records.read(tmp_path / "x.json")


def test_the_form_of_the_kernels_is_said_with_its_reason(monkeypatch):
    monkeypatch.delenv("BINVIZ_KERNELS", raising=False)
    monkeypatch.setattr(forms, "CHOSEN", forms.FORMS["avx2"])
    assert machine.kernel_form().endswith("this processor has avx2")
    monkeypatch.setattr(forms, "CHOSEN", forms.FORMS["portable"])
    assert machine.kernel_form().startswith(f"kernels: portable, of {', '.join(forms.FORMS)}")
    monkeypatch.setenv("BINVIZ_KERNELS", "portable")
    assert machine.kernel_form().endswith("named by BINVIZ_KERNELS")


def test_whether_int8_has_matrix_units_is_said():
    for flags, said in ((["amx_int8"], "has them"), (["avx2"], "has none"), ([], "is not known")):
        assert said in machine.matrix_units(flags) and "1,670" in machine.matrix_units(flags)


def test_nothing_that_is_set_allows_avx512():
    settings = restricted.environment()
    on = {name for name in settings["NUMBA_CPU_FEATURES"].split(",") if name.startswith("+")}
    assert not any(word in name for name in on for word in ("avx512", "avx10", "amx"))


@pytest.mark.slow
@pytest.mark.parametrize("forbidden", [True, False], ids=["forbidden", "allowed"])
def test_512_bit_registers_are_seen_where_they_are_allowed_alone(forbidden, tmp_path):
    if forms.CHOSEN.name != "avx512":
        pytest.skip("this processor has none that the kernels use")
    program = (
        "import numpy as np, binviz_kernels as k; from binviz.bench import restricted; "
        "k.xnor_gemm(k.pack_rows(np.eye(70)), k.pack_weights(np.eye(70))); "
        "print(restricted.wide_registers(), k.forms.CHOSEN.name)"
    )
    settings = {"NUMBA_CACHE_DIR": str(tmp_path)} | (restricted.environment() if forbidden else {})
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == (["False", "avx2"] if forbidden else ["True", "avx512"])


def test_a_restricted_run_is_a_process_of_its_own(monkeypatch):
    line = {"model": "BERT-base"}
    program = f"import json; print(json.dumps({{'models': [{line!r}]}}))"
    python = subprocess.run

    def instead(command, **options):
        assert options["env"]["ATEN_CPU_CAPABILITY"] == "avx2"
        return python([sys.executable, "-c", program], **options)

    monkeypatch.setattr(subprocess, "run", instead)
    assert restricted.measure((1,), 1) == {"models": [line]}
    program = "raise SystemExit('no such thing')"
    with pytest.raises(UserError, match="failed: no such thing"):
        restricted.measure((1,), 1)


def a_record(**parts):
    return {"products": [], "layers": [], "distances": [], "models": [], "steps": []} | parts


def layer_line(rows, threads, **ratios):
    ratio = {kind: {"median": value} for kind, value in ratios.items()}
    return {"rows": rows, "inputs": 768, "outputs": 768, "threads": threads, "ratio": ratio}


def test_the_worst_layer_counts_and_one_row_for_itself():
    lines = [
        layer_line(1, 1, float32=9.0),
        layer_line(128, 1, float32=20.0),
        layer_line(1024, 2, float32=17.1),
    ]
    found = {v.target.what: v for v in targets.verdicts(a_record(layers=lines))}
    large, one = (found[what] for what in found if "float32" in what and what.startswith("layer"))
    assert (large.value, large.where, large.reached) == (17.1, "1024 x 768 -> 768, 2 threads", "missed")
    assert large.lacking == pytest.approx(0.05)
    assert (one.value, one.reached, one.lacking) == (9.0, "must", pytest.approx(0.4))
    assert all(v.reached == "not measured" for v in found.values() if v not in (large, one))


def test_the_better_of_the_other_libraries_counts():
    ratio = {"numkong": {"median": 3.0}, "faiss": {"median": 1.5}}
    line = {"rows": 1, "others": 2, "bits": 64, "ratio": ratio}
    found = targets.verdicts(a_record(distances=[line, line | {"ratio": {}}]))
    (hamming,) = (v for v in found if v.value is not None)
    assert (hamming.value, hamming.reached) == (1.5, "must")


def model_line(threads, seconds=1.0, **ratios):
    ratio = {kind: {"median": value} for kind, value in ratios.items()}
    seconds = {"binviz": {"median": seconds}}
    return {"model": "BERT-base", "batch": 1, "threads": threads, "seconds": seconds, "ratio": ratio}


def measured(record):
    return {v.target.what: v for v in targets.verdicts(record) if v.value is not None}


@pytest.mark.parametrize(("flags", "is_one"), [(["avx2"], True), (["avx2", "avx512f"], False), ([], False)])
def test_what_a_processor_with_avx2_only_must_reach_is_asked_of_such_a_one(flags, is_one):
    record = a_record(
        machine={"flags": flags},
        models=[model_line(1, float32=13.0), model_line(2, float32=11.0)],
        peers={"lines": [model_line(1, **{"onnxruntime int8": 4.0}), model_line(2, **{"onnxruntime int8": 3.0})]},
    )  # fmt: skip
    found = {v.value: v.reached for v in measured(record).values()}
    assert (found.get(13.0), found.get(4.0)) == (("must", "missed") if is_one else (None, None))
    assert 3.0 not in found


@pytest.mark.parametrize(("gains", "value"), [([1.8, 1.9, None], 1.6), ([1.7, 1.6], None), ([None], None)])
def test_two_threads_must_gain_what_they_gain_in_torch(gains, value):
    lines = [model_line(1, seconds=1.6), model_line(2, seconds=1.0)]
    record = a_record(models=lines, two_threads_over_one=gains)
    what = "BERT-base bit-w1a1, one text: one thread over two"
    verdict = measured(record).get(what)
    assert (verdict and verdict.value) == value
    assert verdict is None or verdict.reached == "missed"
    kept = a_record(restricted={"models": lines}, two_threads_over_one=gains)
    assert {v.value for v in measured(kept).values()} == ({value} if value else set())


@pytest.mark.parametrize(("value", "reached"), [(0.1, "aim"), (0.2, "aim"), (0.3, "must"), (0.6, "missed")])
def test_less_is_better_where_time_is_spent(value, reached):
    verdict = targets.verdicts(a_record(imports={"median": value}))[-1]
    assert (verdict.value, verdict.reached) == (value, reached)


def test_shipped_records_are_of_quiet_machines():
    for name, record in records.shipped().items():
        assert not record["busy"] and not record["quick"], name
        unmeasured = {v.target.what for v in targets.verdicts(record) if v.value is None}
        flags = record["machine"]["flags"]
        absent = {
            "AVX2-only": "avx512f" in flags, "onnxruntime": "avx512f" in flags,
            "nobody with AVX-512": "avx512f" not in flags, "words are counted": "avx512_vpopcntdq" not in flags,
            "one thread over two": min(record["two_threads_over_one"]) < targets.TWO_THREADS,
        }  # fmt: skip
        if "ways" not in record["limit"]:  # measured before there were tables
            absent |= {"activations over": True, "without AVX-512": True}
        for what in unmeasured:
            assert any(may and word in what for word, may in absent.items()), (name, what)
