"""What a user would pick instead, on the same BERT-base: onnxruntime, OpenVINO, and bnn-lab's layers of bits.

    python -m binviz.bench.peers

All start from the same torch model of random weights, with the same tokens, mask and length as the packed model.

| peer | from | int8 |
|---|---|---|
| onnxruntime | torch's ONNX export, of one shape | its dynamic quantization of the weights, activations as they come |
| openvino | the same file | NNCF's post-training quantization for transformers, after a few random texts |
| bnn-lab | its XNOR layer in place of every linear layer of the encoder | none; its attention is torch's, in floats |

OpenVINO computes in bfloat16 by itself where the processor can; so it is measured as it comes, and told to keep to
float32. No peer is timed before it answers as torch does: bnn-lab as the same signs multiplied in torch, the others as
the float model, on texts of several lengths.

This is a process of its own: the peers keep threads and gigabytes. It leaves out OpenVINO's telemetry, which would
report every import.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from binviz.bench import models
from binviz.bench.kernels import set_threads
from binviz.bench.machine import installed
from binviz.bench.timing import interleave, ratios, spreads
from binviz.errors import UserError

MODEL = "BERT-base"
#: Tokens that are not padding, of the texts in which answers are compared and after which NNCF chooses its scales.
LENGTHS = (models.TOKENS, 100, 33, 7)
#: By how much answers may differ, as a share of torch's largest logit. Rounding to int8 alone moves the logits of
#: random weights by a third of the largest: for int8 this refuses gross errors only. It is made from what passed as
#: float32.
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "int8": 1.0, "1 bit": 1e-4}
#: Peer -> the packages that it needs, by their names on the package index.
NEEDS = {
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),
    "openvino": ("openvino", "nncf", "onnx", "onnxscript"),
    "bnn-lab": ("bnn-lab",),
}
HINTS = {"bnn-lab": "pip install --no-deps bnn-lab"}  # it asks for an older torch, and runs with this one

#: input_ids and attention_mask of one text -> its logits
Run = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


class Peer(NamedTuple):
    """A model in another library.

    start: with a number of threads, makes it ready. format: of `TOLERANCE`. reference: whose answers are right.
    """

    start: Callable[[int], Run]
    format: str
    reference: nn.Module


def missing() -> dict[str, str]:
    """Peers that are not installed -> what to do, in one line."""
    return {
        name: f"not installed: {HINTS.get(name, 'pip install binviz[bench]')}"
        for name, packages in NEEDS.items()
        if not all(map(installed, packages))
    }


class Logits(nn.Module):
    """A model that gives its logits alone, as the exporter wants it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Both [B, L] -> [B, labels]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export(model: nn.Module, file: Path) -> Path:
    """Write it as ONNX, of the one shape that is measured: nobody then pays for shapes that do not come."""
    given = models.inputs(model, 1)
    torch.onnx.export(
        Logits(model).eval(), tuple(given.values()), file, input_names=list(given), output_names=["logits"],
        dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip
    return file


def onnxruntime(model: nn.Module, file: Path) -> dict[str, Peer]:
    """Float32 and dynamic int8, from an ONNX file."""
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantized = file.with_name("int8.onnx")
    quantize_dynamic(file, quantized, weight_type=QuantType.QInt8)

    def start(path: Path, threads: int) -> Run:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Its threads wait in a loop for more work; after a run, that would take the next contestant's time.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda given: session.run(None, dict(given))[0]

    return {
        f"onnxruntime {kind}": Peer(partial(start, path), kind, model)
        for kind, path in (("float32", file), ("int8", quantized))
    }


def openvino(model: nn.Module, file: Path) -> dict[str, Peer]:
    """Float32, int8 and, where it would be chosen by itself, bfloat16; from an ONNX file."""
    import nncf
    import openvino as ov

    core = ov.Core()
    floats = core.read_model(file)
    samples = texts(model, seed=1)
    quantized = nncf.quantize(
        floats, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(samples)
    )

    def start(network: Any, precision: str | None, threads: int) -> Run:
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        settings |= {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        request = core.compile_model(network, "CPU", settings).create_infer_request()
        return lambda given: next(iter(request.infer(dict(given), share_inputs=True).values()))

    peers = {"openvino float32": Peer(partial(start, floats, "f32"), "float32", model)}
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        peers["openvino bfloat16"] = Peer(partial(start, floats, None), "bfloat16", model)
    return peers | {"openvino int8": Peer(partial(start, quantized, None), "int8", model)}


class Signs(nn.Module):
    """sign(x) sign(W)^T · scale + bias in floats: what bnn-lab's layer computes on bits. Its sign(0) of x is -1."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.signs = torch.where(layer.weight >= 0, 1.0, -1.0)
        self.scale, self.bias = layer.weight.abs().mean(dim=1), layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        return torch.where(x > 0, 1.0, -1.0) @ self.signs.T * self.scale + self.bias


def encoder_replaced(model: nn.Module, make: Callable[[nn.Linear], nn.Module]) -> nn.Module:
    """A copy with another layer in place of every linear layer of the encoder."""
    model = copy.deepcopy(model)
    for module in list(model.bert.encoder.modules()):  # type: ignore[union-attr]
        for name, layer in module.named_children():
            if isinstance(layer, nn.Linear):
                setattr(module, name, make(layer))
    return model.eval()


def bnn_lab(model: nn.Module) -> dict[str, Peer]:
    """BERT with bnn-lab's linear layers."""
    packed = import_module("bnn.kernels.packed")
    layer = import_module("bnn.wrap.packed_linear").PackedBinaryXNORLinear
    if not packed.native_kernel_available():
        raise UserError("its compiled kernel does not load here, and without it there is nothing to compare")
    theirs = encoder_replaced(
        model, lambda linear: layer(linear.weight, linear.bias, alpha=linear.weight.abs().mean(dim=1))
    )

    def start(threads: int) -> Run:
        packed.set_num_threads(threads)
        return in_torch(theirs)

    return {"bnn-lab": Peer(start, "1 bit", encoder_replaced(model, Signs))}


def in_torch(model: nn.Module) -> Run:
    """A torch model as a function of arrays."""
    return lambda given: model(
        **{name: torch.from_numpy(array) for name, array in given.items()}
    ).logits.numpy()


def convert(model: nn.Module, folder: Path) -> tuple[dict[str, Peer], dict[str, str]]:
    """Every peer that is installed, and what became of the others, in one line each."""
    peers: dict[str, Peer] = {}
    left_out = missing()
    file: Path | None = None
    makers: dict[str, Callable[[nn.Module, Path], dict[str, Peer]]] = {
        "onnxruntime": onnxruntime,
        "openvino": openvino,
    }
    for name, make in makers.items():
        if name not in left_out:
            with told(name, left_out):
                file = file or export(model, folder / "float32.onnx")
                peers |= make(model, file)
    if "bnn-lab" not in left_out:
        with told("bnn-lab", left_out):
            peers |= bnn_lab(model)
    return peers, left_out


@contextlib.contextmanager
def told(name: str, left_out: dict[str, str]) -> Iterator[None]:
    """Other people's software may fail in any way; the others are measured all the same, and the reason is said."""
    try:
        yield
    except Exception as error:
        left_out[name] = f"failed: {(str(error).strip() or type(error).__name__).splitlines()[0]}"


def texts(model: nn.Module, seed: int = 0) -> list[dict[str, NDArray[Any]]]:
    """Random texts of several lengths, padded to the one that is measured; the first of seed 0 is the measured one."""
    given = models.inputs(model, 1, seed)
    tokens = given["input_ids"].shape[1]
    masks = [torch.arange(tokens)[None] < length for length in LENGTHS]
    return [
        {"input_ids": given["input_ids"].numpy(), "attention_mask": mask.long().numpy()} for mask in masks
    ]


def answers(run: Run, given: list[dict[str, NDArray[Any]]]) -> NDArray[Any]:
    """Logits [texts, labels]."""
    return np.concatenate([run(text) for text in given])


@torch.inference_mode()
def compete(threads: tuple[int, ...], rounds: int, folder: Path) -> dict[str, Any]:
    """What `measure` gives, measured in this process."""
    built = models.build(models.CASES[MODEL])
    recipe = models.CASES[MODEL].recipes[0]
    model = built["float32"]
    peers, left_out = convert(model, folder)
    given, lines = texts(model), []
    right = {each: answers(in_torch(each), given) for each in {peer.reference for peer in peers.values()}}
    differences: dict[str, float] = {}
    for t in threads:
        set_threads(t)
        runs = {"binviz": in_torch(built[recipe])}
        runs |= {f"torch {kind}": in_torch(built[kind]) for kind in ("float32", "int8") if kind in built}
        for name, peer in peers.items():
            with told(name, left_out):
                run = peer.start(t)
                wanted = right[peer.reference]
                far = float(np.abs(answers(run, given) - wanted).max() / np.abs(wanted).max())
                differences[name] = max(far, differences.get(name, 0.0))
                if far > TOLERANCE[peer.format]:
                    raise UserError(f"it answers otherwise than torch, by {far:.2g} of the largest logit")
                runs[name] = run
        times = interleave({name: partial(run, given[0]) for name, run in runs.items()}, rounds)
        lines.append(
            {
                "model": MODEL, "recipe": recipe, "threads": t, "batch": 1, "tokens": given[0]["input_ids"].shape[1],
                "seconds": spreads(times), "ratio": ratios(times, "binviz"),
            }
        )  # fmt: skip
    return {"lines": lines, "largest_difference": differences, "left_out": left_out}


def measure(threads: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Peers beside ours and torch's, in turns, in a process of their own.

    Args:
        threads: numbers of threads, the same for everybody.
        rounds: how often each is timed.

    Returns:
        lines, one for each number of threads: model, recipe, threads, batch, tokens, seconds (ours is "binviz"), ratio
        of the others' times to ours. largest_difference: peer -> from torch's answers, as a share of the largest logit.
        left_out: peer -> why it is not measured. Plain data.

    Raises:
        UserError: the process failed.
    """
    with TemporaryDirectory() as folder:
        out = Path(folder) / "peers.json"
        arguments = [json.dumps([threads, rounds]), str(out)]
        done = subprocess.run(
            [sys.executable, "-m", __name__, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode or not out.exists():
            said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
            raise UserError(f"the measurement of other libraries failed: {said[-1]}")
        return json.loads(out.read_text("utf-8"))


def main(arguments: list[str]) -> None:
    """Measure, and print as JSON or write it to a file: [threads, rounds], the file."""
    threads, rounds = json.loads(arguments[0]) if arguments else ((1,), 5)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # not to be found: it then sends nothing
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")  # the exporter's and the peers', about themselves
    with TemporaryDirectory() as folder:
        found = json.dumps(compete(tuple(threads), rounds, Path(folder)), indent=1)
    if len(arguments) > 1:
        Path(arguments[1]).write_text(found, "utf-8")
    else:
        print(found)


if __name__ == "__main__":
    main(sys.argv[1:])
