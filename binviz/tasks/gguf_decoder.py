"""A decoder in one file of GGUF, as llama.cpp runs it: `read_decoder("model.gguf")`.

transformers reads weights, configuration and tokenizer. Before it sees the file, every number of the header is held
against the file (`binviz.analysis.gguf_header`), and types that nobody here reads are named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from binviz.analysis.gguf_header import header_of
from binviz.analysis.gguf_values import is_read
from binviz.errors import UserError, one_line

#: A type that `binviz.analysis.gguf_values` reads and transformers does not.
UNREAD = "Q1_0"


def read_decoder(path: str | Path) -> tuple[nn.Module, Any]:
    """The model, its weights in float32 as the file's numbers say, in eval mode; and its tokenizer.

    Args:
        path: of the file, with all of the model in it.

    Raises:
        UserError: no such file, not GGUF, damaged, a part of several, of a type that is not read, of an architecture
            that transformers does not build from GGUF, or without all weights.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    path = Path(path)
    header = header_of(path)
    if header.parts > 1:
        raise UserError(
            f"{path.name} is one of {header.parts:,} parts; join them with `llama-gguf-split --merge` first"
        )
    for record in header.records:
        if record.dtype == UNREAD or not is_read(record.dtype):
            raise UserError(
                f"{record.name} in {path.name} is of type {record.dtype}, of which no decoder is built here; take the "
                "model in another type, such as Q8_0"
            )
    options: dict[str, Any] = {"gguf_file": path.name, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **options)
        # Else transformers may fetch kernels from the hub that leave weights in their blocks
        options["quantization_config"] = GgufConfig(dequantize=True)
        model, found = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, output_loading_info=True, **options
        )
    except Exception as error:  # what a header says beside its tensors can make anything go wrong
        raise UserError(f"no decoder can be built of {path.name}: {one_line(error)}") from error
    if lacking := sorted(found["missing_keys"]):
        raise UserError(
            f"{path.name} lacks {len(lacking)} weights of a {type(model).__name__}, such as {lacking[0]}"
        )
    if (quantizer := getattr(model, "hf_quantizer", None)) is not None:
        # Its weights are floats by now; a model that is marked as quantized cannot be copied, packed or saved as one
        quantizer.remove_quantization_config(model)
    return model.eval(), tokenizer
