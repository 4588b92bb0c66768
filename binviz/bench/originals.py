"""What is damaged by `binviz.bench.fuzzed`, and whether a packed file was loaded as exactly what it says."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path
from typing import Any


def tokenizer() -> Any:
    """Of eight word pieces."""
    import transformers

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "##ly"]
    return transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})


def bert() -> Any:
    """A very small classifier of sentences, the same each time."""
    import torch
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.BertForSequenceClassification(
            transformers.BertConfig(**sizes, vocab_size=8, max_position_embeddings=16)
        ).eval()


def packed_files() -> list[bytes]:
    """Undamaged packed files: a text model with its tokenizer, a picture model, a float model in half precision."""
    import torch

    import binviz
    from binviz.networks import DigitsCNN, DigitsCNNConfig

    text = bert()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        picture, plain = (DigitsCNN(DigitsCNNConfig(width=4, depth=1)) for _ in range(2))
    binviz.binarize_(text, "bit-w1a1")
    binviz.binarize_(picture, "xnor")
    files = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        for model, words, half in ((text, tokenizer(), False), (picture, None, False), (plain, None, True)):
            binviz.save_packed(model.eval(), path, words, half=half)
            files.append(path.read_bytes())
    return files


def gguf_file() -> bytes:
    """A checkpoint in GGUF: two keys, a list, and a tensor each of one bit, of ternary and of float numbers."""
    import gguf
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.gguf")
        writer = gguf.GGUFWriter(path, "bert")
        writer.add_array("tokenizer.ggml.tokens", ["good", "bad"])
        for kind in (gguf.GGMLQuantizationType.Q1_0, gguf.GGMLQuantizationType.TQ2_0):
            writer.add_tensor(
                kind.name, np.ones((2, 2 * gguf.GGML_QUANT_SIZES[kind][1]), np.uint8), raw_dtype=kind
            )
        writer.add_tensor("norm", np.ones(8, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


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
