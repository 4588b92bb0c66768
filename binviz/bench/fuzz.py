"""Damaged packed files: each must be refused in one clear line, or load as exactly what it says.

    python -m binviz.bench.fuzz --count 10000

Files are read in a process of their own with a limit of memory and time; where it dies or hangs, that file counts as
a failure and a new process goes on behind it. A file is loaded correctly if every tensor of the model is the file's
(other weights are another model, no damage that anybody could see) and the model answers.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from binviz.bench.mutations import KINDS, mutation

MEMORY = 1 << 30  # bytes beyond what the process has when it starts
SECONDS = 60.0  # a file, on a busy machine; it takes some hundredths
STARTING = 1200.0  # the process, where kernels have to be compiled first
READY = "ready\n"


class Outcome(NamedTuple):
    """What became of one file: "refused", "loaded", or else what went wrong."""

    number: int
    kind: str
    result: str
    detail: str

    @property
    def right(self) -> bool:
        return self.result in ("refused", "loaded")


def originals() -> list[bytes]:
    """Undamaged packed files: a text model with its tokenizer, a picture model, a float model in half precision."""
    import torch
    import transformers

    import binviz
    from binviz.networks import DigitsCNN, DigitsCNNConfig

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "##ly"]
    tokenizer = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        text = transformers.BertForSequenceClassification(
            transformers.BertConfig(**sizes, vocab_size=8, max_position_embeddings=16)
        )
        picture, plain = (DigitsCNN(DigitsCNNConfig(width=4, depth=1)) for _ in range(2))
    binviz.binarize_(text, "bit-w1a1")
    binviz.binarize_(picture, "xnor")
    files = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        for model, words, half in ((text, tokenizer, False), (picture, None, False), (plain, None, True)):
            binviz.save_packed(model.eval(), path, words, half=half)
            files.append(path.read_bytes())
    return files


def attempt(path: Path) -> tuple[str, str]:
    """Load a file as a user would: "refused" with the line, "loaded", or what went wrong."""
    import binviz
    from binviz.errors import UserError
    from binviz.saving.packed import read_metadata

    try:
        model = binviz.load_packed(path)
        wrong = differs(path.read_bytes(), model.state_dict()) or does_not_answer(model)
        if wrong:
            return wrong
        if read_metadata(path)["tokenizer"]:
            binviz.load_tokenizer(path)
    except UserError as error:
        line = str(error)
        if "\n" in line or len(line) > 600:
            return "no clear line", line[:600]
        return ("out of memory" if "allocate" in line else "refused"), line
    except BaseException as error:  # a panic of a library in Rust is no Exception
        return type(error).__name__, str(error)[:300]
    return "loaded", ""


def differs(file: bytes, state: dict[str, Any]) -> tuple[str, str] | None:
    """A tensor of a loaded model that is not the one in the file, read here without any library's help."""
    import numpy as np
    import torch

    (length,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8 : 8 + length])
    shapes = json.loads(header.pop("__metadata__")["shapes"])
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64,
             "I64": torch.int64, "BOOL": torch.bool, "U64": torch.uint64}  # fmt: skip
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if begin == end:
            continue
        stored = torch.frombuffer(bytearray(file[begin:end]), dtype=types[entry["dtype"]]).reshape(
            entry["shape"]
        )
        layer, _, last = name.rpartition(".")
        if layer in shapes and last == "bits":
            words = stored.numpy().view(np.uint8)
            rows, *sizes = shapes[layer]
            bits = np.unpackbits(words, axis=1, bitorder="little", count=int(np.prod(sizes)))
            stored = torch.from_numpy(2.0 * bits - 1).reshape(rows, *sizes)
            name = f"{layer}.weight"
        elif layer in shapes and last == "scale":
            name = f"{layer}.weight_binarizer.scale"
        if not torch.equal(stored.to(state[name].dtype).nan_to_num(), state[name].nan_to_num()):
            return "another tensor", name
    return None


def does_not_answer(model: Any) -> tuple[str, str] | None:
    """What a loaded model says when it is asked, if that is an error."""
    import torch

    inputs = {"input_ids": torch.tensor([[2, 5, 3]]), "pixel_values": torch.zeros(1, 1, 8, 8)}
    given = {model.main_input_name: inputs[model.main_input_name]}
    try:
        with torch.no_grad():
            model(**given)
    except Exception as error:
        return "no answer", f"{type(error).__name__}: {str(error)[:300]}"
    return None


def work(seed: int, first: int, last: int) -> None:
    """The process that reads files: a line of JSON for each."""
    import torch

    # Libraries print to the standard output, too: the results get it for themselves
    results = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    torch.set_num_threads(1)
    files = originals()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged.safetensors")
        path.write_bytes(files[0])
        if attempt(path)[0] != "loaded":  # everything is imported now
            raise SystemExit("the undamaged file does not load")
        limit_memory(MEMORY)
        results.write(READY)
        for number in range(first, last):
            kind, damaged = mutation(files[number // len(KINDS) % len(files)], seed, number)
            path.write_bytes(damaged)
            print(json.dumps([number, kind, *attempt(path)]), file=results)


def limit_memory(more: int) -> None:
    """Let this process have so many bytes more than it has now, where the system knows how."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))
    except (ImportError, OSError):
        pass


def outcomes(count: int, seed: int = 0, first: int = 0, seconds: float = SECONDS) -> Iterator[Outcome]:
    """What becomes of `count` damaged files, from number `first` on."""
    last = first + count
    while first < last:
        command = [sys.executable, "-m", "binviz.bench.fuzz", "--work", f"{seed},{first},{last}"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="replace"
        ) as process:
            try:
                lines = _lines(process)
                if _next(lines, STARTING) != READY:
                    raise RuntimeError("the process that reads files did not start")
                line: str | None = READY
                while first < last and (line := _next(lines, seconds)):
                    yield Outcome(*json.loads(line))
                    first += 1
            finally:
                process.kill()
        if first < last:
            result, detail = "timeout", f"{seconds} seconds"
            if line is not None:
                result, detail = "crash", f"the process ended with status {process.returncode}"
            yield Outcome(first, KINDS[first % len(KINDS)].__name__, result, detail)
            first += 1


def _lines(process: subprocess.Popen[str]) -> queue.Queue[str]:
    """What a process prints, line by line; an empty one when it ends."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines


def _next(lines: queue.Queue[str], seconds: float) -> str | None:
    """The next line, or None if there is none in that time."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def main(arguments: list[str] | None = None) -> None:
    """Print a table of counts and every failure; the exit status says whether there was one."""
    parser = argparse.ArgumentParser(prog="python -m binviz.bench.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many files (default: 10000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        work(*map(int, options.work.split(",")))
        return
    counts: Counter[tuple[str, str]] = Counter()
    failures = 0
    for outcome in outcomes(options.count, options.seed, options.first):
        counts[outcome.kind, outcome.result if outcome.right else "failed"] += 1
        if not outcome.right:
            failures += 1
            print(f"{outcome.number} {outcome.kind}: {outcome.result}: {outcome.detail}", flush=True)
    print(f"{'damage':16}{'refused':>10}{'loaded':>10}{'failed':>10}")
    for kind in dict.fromkeys(damage.__name__ for damage in KINDS):
        print(
            f"{kind:16}" + "".join(f"{counts[kind, result]:10}" for result in ("refused", "loaded", "failed"))
        )
    raise SystemExit(failures > 0)


if __name__ == "__main__":
    main()
