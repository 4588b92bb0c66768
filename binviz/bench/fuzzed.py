"""What `binviz.bench.fuzz` damages and reads: one class a kind of file, and one for answers to exercises.

A class is made once with a folder of its own. `damage(seed, number)` puts a damaged file there and says what was
done, the same for the same numbers. `read()` takes it in as a person's command would: it raises UserError where that
is refused, and returns nothing where it is loaded and works, or else what is wrong.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from binviz.bench import mutations
from binviz.bench.mutations_text import VALUES, Damage, damaged, settings, values
from binviz.bench.originals import bert, gguf_file, packed_files, tokenizer

Wrong = tuple[str, str] | None


class Target(Protocol):
    """See the module."""

    def __init__(self, folder: Path) -> None: ...

    def damage(self, seed: int, number: int) -> str:
        """Damage by number."""

    def read(self) -> Wrong:
        """Take it in."""


class _File:
    """One file: what is in it undamaged, and what knows its format."""

    name: str
    inside: tuple[Damage, ...] = (values,)

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.name
        self.original = self.make()

    def make(self) -> bytes:
        raise NotImplementedError

    def damage(self, seed: int, number: int) -> str:
        kind, content = damaged(self.original, self.inside, random.Random(f"{seed} {number} {self.name}"))
        self.path.write_bytes(content)
        return kind


class Records(_File):
    """Records of runs, and what lists and the dashboard show of them."""

    name = "a.seed0.json"

    def make(self) -> bytes:
        from binviz.evidence.runs import Run

        curves: dict[str, Any] = {"step": [1, 2], "loss": [0.5, 0.25], "watched": [2], "flips/0": [0.1]}
        config = {"train": {"steps": 2}, "identity": {"task": "a"}, "why": "to see"}
        run = Run(
            "e", "c.bit", 0, config, "last", {"train": "ab"}, {"accuracy": 0.5}, 2.0, "05", 3, curves=curves
        )
        return json.dumps(asdict(run)).encode()

    def read(self) -> Wrong:
        from binviz.evidence import runs

        run = runs.read(self.path)
        shown = f"{run.path} {run.seconds / 60:.1f}" + "".join(
            f" {n} {v:.4f}" for n, v in run.metrics.items()
        )
        if not shown.isprintable():
            return "not printable", ascii(shown)
        runs.each_example(run)
        runs.write(run, self.path.parent / "again")
        return None


class Manifests(_File):
    """The zoo's list of models."""

    name = "manifest.json"

    def make(self) -> bytes:
        from binviz import zoo

        return (zoo.FOLDER / "manifest.json").read_bytes()

    def read(self) -> Wrong:
        from binviz import zoo

        for name, entry in zoo.read_manifest(self.path).items():
            if not f"{name} {entry.bytes / 1e6:8.3f}".isprintable():
                return "not printable", ascii(name)
            if entry.path.parent != zoo.FOLDER:
                return "another folder", name
        return None


class Configurations(_File):
    """Settings of `binviz train glue --config`, up to the stages that would be trained."""

    name = "settings.toml"
    inside = (settings,)

    def make(self) -> bytes:
        from binviz.training import configs

        return (configs.FOLDER / "bit-bert-base.toml").read_bytes()

    def read(self) -> Wrong:
        from binviz.training import configs, glue
        from binviz.training.stages import check_stages

        config = glue.GlueConfig(task="sst2", **configs.read(str(self.path), "sst2"))
        check_stages(config.stages)
        glue.stages_of(config, config.loss, per_epoch=2105.0)
        return None


class DataFiles:
    """Parquet files of a GLUE task in a mirror folder."""

    def __init__(self, folder: Path) -> None:
        from binviz.data import glue

        self.mirror = folder
        self.path = folder / "datasets" / glue.HUB_ID / "sst2" / "train-00000-of-00001.parquet"
        self.path.parent.mkdir(parents=True)
        rows = {"sentence": [f"a fine film {i}" for i in range(50)], "label": [i % 2 for i in range(50)]}
        self._write(rows)
        self.original, self.rows = self.path.read_bytes(), rows

    def _write(self, rows: dict[str, Any]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(rows), self.path)

    def damage(self, seed: int, number: int) -> str:
        dice = random.Random(f"{seed} {number} parquet")
        if dice.random() < 0.7:
            kind, content = damaged(self.original, (_foot,), dice)
            self.path.write_bytes(content)
            return kind
        rows: dict[str, Any] = {**self.rows}
        column = dice.choice(tuple(rows))
        rows[column] = dice.choice(
            ([None] * 50, [1.5] * 50, [b"\xff\xfe"] * 50, [2] * 50, [-1] * 50, ["\x1b[31m"] * 50, [["a"]] * 50,
             [{"a": 1}] * 50,             [float("nan")] * 50, [10**18] * 50, [True] * 50, [*rows[column][:49], None])
        )  # fmt: skip
        if dice.random() < 0.2:
            rows[dice.choice(("label", "sentence", "idx", "é"))] = rows.pop(column)
        rows = {} if dice.random() < 0.05 else rows
        length = dice.choice((50, 50, 50, 0))
        self._write({name: part[:length] for name, part in rows.items()})
        return "rows"

    def read(self) -> Wrong:
        import os

        from binviz.data import glue

        os.environ["BINVIZ_MIRROR"] = str(self.mirror)
        examples = glue.load("sst2", "train")
        texts = all(isinstance(text, str) for row in examples.texts for text in row)
        return None if texts and set(examples.labels) <= {0, 1} else ("no examples", str(examples)[:300])


def _foot(file: bytes, dice: random.Random) -> bytes:
    """The end of a parquet file, where its columns and sizes stand."""
    at = dice.randrange(len(file) // 2, len(file))
    return file[:at] + bytes(dice.randrange(256) for _ in range(dice.choice((1, 4)))) + file[at + 1 :]


class Ggufs(_File):
    """A checkpoint of another library in GGUF, for `binviz scan`."""

    name = "model.gguf"

    def __init__(self, folder: Path) -> None:
        self.inside = (_head,)
        super().__init__(folder)

    def make(self) -> bytes:
        return gguf_file()

    def read(self) -> Wrong:
        from binviz.analysis.contents import contents, readable, summed_up
        from binviz.errors import printable

        table = contents(self.path, progress=False)
        shown = printable(readable(table).to_string()) + summed_up(table)
        if not shown.replace("\n", "").isprintable():
            return "not printable", ascii(shown)[:300]
        if table.attrs["headers"] < 0 or int(table.bytes.sum()) > len(self.path.read_bytes()):
            return "more than the file", str(table.attrs)
        return None


def _head(file: bytes, dice: random.Random) -> bytes:
    """The beginning of a GGUF file, where counts, types, sizes and offsets stand."""
    number = dice.choice((0, 1, 2, 8, 9, 41, 2**16, 2**31, 2**32 - 1, 2**60, 2**63, 2**64 - 1))
    size = dice.choice((4, 8))
    at = dice.randrange(4, 400)
    return file[:at] + (number % 2 ** (8 * size)).to_bytes(size, "little") + file[at + size :]


class StartFolders:
    """A model folder, for `--start` and for `binviz.load`."""

    def __init__(self, folder: Path) -> None:
        from binviz.saving import save

        self.folder, whole = folder / "start", folder / "whole"
        save(bert(), whole, tokenizer())
        self.whole, self.number = whole, 0

    def damage(self, seed: int, number: int) -> str:
        dice = random.Random(f"{seed} {number} folder")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.whole, self.folder)
        self.number = number
        path = dice.choice((*(self.folder / "config.json",) * 3, *sorted(self.folder.iterdir())))
        original = path.read_bytes()
        if path.suffix == ".safetensors":
            kind, content = mutations.mutation(original, seed, number)
        else:
            kind, content = damaged(original, (values,) if path.suffix == ".json" else (), dice)
        path.write_bytes(content)
        if dice.random() < 0.05:
            path.unlink()
        return kind

    def read(self) -> Wrong:
        import torch

        from binviz import zoo
        from binviz.tasks.glue import pretrained
        from binviz.training.glue import GlueConfig, check_fit

        if self.number % 2:
            model, words = zoo.load(self.folder), zoo.load_tokenizer(self.folder)
        else:
            model, words = pretrained("sst2", str(self.folder), seed=0)
        check_fit(model, words, GlueConfig("sst2", start="it", precision="no"))
        try:
            with torch.no_grad():
                model.eval()(**words(["good bad"], return_tensors="pt"))
        except Exception as error:
            return "no answer", f"{type(error).__name__}: {str(error)[:300]}"
        return None


class Checkpoints:
    """A training checkpoint, from which the loop goes on."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.checkpoint"
        self._train(2)
        self.original = self.path.read_bytes()

    def _train(self, steps: int) -> None:
        import torch
        from torch import nn

        from binviz.training.loop import fit
        from binviz.training.settings import TrainConfig

        torch.manual_seed(0)
        fit(
            nn.Linear(2, 2),
            lambda step: {"x": torch.ones(2, 2)},
            lambda model, batch: model(batch["x"]).square().mean(),
            TrainConfig(steps, 0.1, schedule="constant", warmup=0.0),
            resume=self.path,
        )

    def damage(self, seed: int, number: int) -> str:
        kind, content = mutations.mutation(self.original, seed, number)
        self.path.write_bytes(content)
        return kind

    def read(self) -> Wrong:
        self._train(4)
        return None


class Answers:
    """What a student may hand in to an exercise."""

    def __init__(self, folder: Path) -> None:
        from binviz import check

        self.exercises = [getattr(check, name) for name in check.__all__ if name.startswith("ex_")]
        self.answer: Any = None

    def damage(self, seed: int, number: int) -> str:
        dice = random.Random(f"{seed} {number} answers")
        self.exercise = dice.choice(self.exercises)
        self.answer = _odd(dice)
        self.function = (
            callable(self.answer) or dice.random() < 0.7
        )  # an own function may raise what it likes
        return type(self.answer).__name__

    def read(self) -> Wrong:
        from binviz import check

        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            right = self.exercise((lambda *given: self.answer) if self.function else self.answer)
        text = said.getvalue()
        if (
            not isinstance(right, check.Verdict)
            or not text
            or not text.replace("\n", "").isprintable()
            or len(text) > 5000
        ):
            return "no clear answer", ascii(text)[:300]
        return None


class _Hostile:
    """A value that lets nothing be done with it."""

    def __repr__(self) -> str:
        raise RuntimeError

    def __array__(self, *given: Any, **named: Any) -> Any:
        raise RecursionError


def _odd(dice: random.Random) -> Any:
    import numpy as np
    import torch

    shape = dice.choice(((), (0,), (1,), (3,), (2, 2), (2, 3, 4), (1,) * 20))
    array = np.full(shape, dice.choice((0.0, 1.0, -1.0, np.nan, np.inf, 1e300)))
    value = dice.choice(
        (*VALUES, array, array.astype(bool), array.astype(complex), array.astype(str), array.astype(object),
         np.zeros(shape, "M8[s]"), np.zeros(shape, "S3"), torch.from_numpy(array), torch.zeros(shape, device="meta"),
         torch.zeros(shape, dtype=torch.bfloat16), torch.zeros(shape, requires_grad=True),
         torch.zeros(3, 3).to_sparse(),
         torch.zeros(shape, dtype=torch.complex64), _Hostile(), object(), [[1], [1, 2]], iter(()), "x" * 10**6,
         np.ma.masked, np.zeros(2, "i4,f4"), [torch.zeros(2), None], 1j, b"1", range(3), {1, 2}, int, print)
    )  # fmt: skip
    return (value,) * dice.randrange(4) if dice.random() < 0.3 else value


class Packed:
    """Packed files; loaded is what has the tensors that stand in the file, and answers."""

    def __init__(self, folder: Path) -> None:
        self.path, self.files = folder / "damaged.safetensors", packed_files()

    def damage(self, seed: int, number: int) -> str:
        file = self.files[number // len(mutations.KINDS) % len(self.files)]
        kind, content = mutations.mutation(file, seed, number)
        self.path.write_bytes(content)
        return kind

    def read(self) -> Wrong:
        import binviz
        from binviz.bench.originals import differs, does_not_answer
        from binviz.saving.packed import read_metadata

        model = binviz.load_packed(self.path)
        wrong = differs(self.path.read_bytes(), model.state_dict()) or does_not_answer(model)
        if wrong is None and read_metadata(self.path)["tokenizer"]:
            binviz.load_tokenizer(self.path)
        return wrong


TARGETS: dict[str, type[Target]] = {
    "packed": Packed,
    "records": Records,
    "manifests": Manifests,
    "configurations": Configurations,
    "data": DataFiles,
    "gguf": Ggufs,
    "folders": StartFolders,
    "checkpoints": Checkpoints,
    "answers": Answers,
}
