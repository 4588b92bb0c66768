"""How fast decoders write, on bits and in floats: many tokens at once, and one after the other.

    python -m binviz.experiments.decoding runs-out/novels.db-llm.seed0

The tokens of a prompt pass in one batch (prefill); those that are written pass one by one, with the cache of keys and
values (generation). A binary model that is not packed makes its weights anew each time, so it is the float model's
record that a packed one's speed is to be compared with.

Beside that stand the bytes of the packed file's tensors, and of the blocks' linears alone, since a table of words may
be most of a small model. Of DB-LLM's two sets of {0, 1} there is how many are 0, and how many words of 64 are all 0,
which is what a product that skips such words could save.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import binviz
from binviz.adapters import layout_of
from binviz.binarizers import InGroups
from binviz.binarizers.fdb import FDBWeight, dual_signs
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.layers import BinaryLinear
from binviz.packed.layers import pack_layer
from binviz.saving.packed import packed_bytes
from binviz.tasks.causal import require_decoder

#: Tokens of the prompt, and those that are written behind it.
PROMPT, WRITTEN = 128, 64
BITS = 64


@torch.no_grad()
def zeros(model: nn.Module) -> dict[str, float]:
    """Shares of 0 in both of DB-LLM's sets over all layers, and of their words of 64; empty where there are none.

    >>> layer = BinaryLinear(64, 1, weight=FDBWeight(), activation=None)
    >>> _ = layer.weight.data.copy_(torch.tensor([2.0] + [0.25] * 63))
    >>> zeros(layer)
    {'zeros_1': 0.984375, 'zeros_2': 1.0, 'zero_words_1': 0.0, 'zero_words_2': 1.0}
    """
    found: list[list[Tensor]] = [[], []]
    for layer in model.modules():
        if not isinstance(layer, BinaryLinear):
            continue
        binarizer, w = layer.weight_binarizer, layer.weight
        binarizer(w)  # starts its scales
        if isinstance(binarizer, InGroups):
            w = w.view(-1, binarizer.group)
            binarizer = binarizer.inner
        if isinstance(binarizer, FDBWeight):
            scales = (binarizer._per_channel(alpha, w) for alpha in (binarizer.alpha_1, binarizer.alpha_2))
            for kept, code, bit in zip(found, dual_signs(w, *scales), (1, -1), strict=True):
                ones = (code == bit).view(layer.weight.shape)
                kept.append(F.pad(ones, (0, -ones.shape[1] % BITS)).view(-1, BITS).sum(-1))
    if not found[0]:
        return {}
    count = sum(p.weight.numel() for p in model.modules() if isinstance(p, BinaryLinear))
    words = [torch.cat(kept) for kept in found]
    shares = {f"zeros_{i}": 1 - float(each.sum()) / count for i, each in enumerate(words, 1)}
    return shares | {f"zero_words_{i}": float((each == 0).float().mean()) for i, each in enumerate(words, 1)}


def linear_bytes(model: nn.Module) -> int:
    """Bytes of the weights of the blocks' linears: in bits, with their scales, where they are binary.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = dict(hidden_size=64, intermediate_size=64, num_attention_heads=1, num_key_value_heads=1)
    >>> model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, vocab_size=9, **sizes))
    >>> before, _ = linear_bytes(model), binviz.binarize_(model, "db-llm")
    >>> before, linear_bytes(model)  # 7 linears, 64 rows of 64: 2 words and 3 scales
    (114688, 12544)
    """
    paths = [path for block in layout_of(model).blocks for path in block.linears().values()]
    layers: list[Any] = [model.get_submodule(path) for path in paths]
    parts = [pack_layer(each) if isinstance(each, BinaryLinear) else (each.weight,) for each in layers]
    return sum(part.nbytes for each in parts for part in each)


def speeds(
    model: Any, ids: Tensor, written: int = WRITTEN, repeats: int = 3
) -> tuple[dict[str, float], Tensor]:
    """Tokens a second in prefill and in generation, the fastest of some repeats; and the tokens that were written.

    Args:
        model: a decoder in eval mode.
        ids: (1, T) int64, the prompt.
        written: tokens to write; none of them ends the text.
        repeats: of both.
    """

    def fastest(run: Callable[[], Any]) -> float:
        run()
        found = []
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            found.append(time.perf_counter() - started)
        return min(found)

    with torch.no_grad():
        prefill = fastest(lambda: model(ids, use_cache=True))
    # The first written token comes with the prompt
    rest = fastest(lambda: write(model, ids, written)) - fastest(lambda: write(model, ids, 1))
    found = {"prefill": ids.shape[1] / prefill, "generation": (written - 1) / max(rest, 1e-9)}
    return found, write(model, ids, written)


@torch.no_grad()
def write(model: Any, ids: Tensor, count: int) -> Tensor:
    """The likeliest tokens behind a prompt, (count,), none of which ends the text.

    Args:
        model: a decoder in eval mode.
        ids: (1, T) int64, the prompt.
        count: of tokens.
    """
    options = {"max_new_tokens": count, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    return model.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, ids.shape[1] :]


def measure(folder: Path, seed: int = 0) -> runs.Run:
    """Both speeds of a trained decoder, packed where it is binary, and what its weights take.

    Args:
        folder: of a trained cell, such as runs-out/novels.db-llm.seed0.
        seed: of the prompt, which is drawn.

    Raises:
        UserError: no model there, or no decoder.
    """
    model = require_decoder(binviz.load(folder))
    cell = folder.name.partition(".seed")[0]
    return timed(model, cell, "none: a trained model is measured", WRITTEN, seed)


def timed(
    model: Any, cell: str, selection: str, written: int, seed: int = 0, unpacked: bool = True
) -> runs.Run:
    """The same of a decoder in memory.

    Args:
        model: in eval mode.
        cell: what the record is called after.
        selection: how it came to be measured.
        written: tokens to write.
        seed: of the prompt.
        unpacked: also time a binary model that is not packed, which makes all its weights anew for each token.

    Raises:
        UserError: it has no room for prompt and tokens.
    """
    started = time.perf_counter()
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(model.config.vocab_size, (1, PROMPT), generator=random)
    places: Any = model.config.max_position_embeddings
    if places < PROMPT + written:
        raise UserError(f"{cell} has {places} places for tokens; {PROMPT + written} are needed")
    binary = getattr(model, "binviz_recipe", None) is not None
    metrics, wanted = (
        speeds(model, ids, written) if unpacked or not binary else ({}, write(model, ids, written))
    )
    if binary:
        of_bits, found = speeds(binviz.pack(model), ids, written)
        metrics |= {f"packed_{name}": value for name, value in of_bits.items()}
        metrics["same_tokens"] = float((found == wanted).float().mean())
    return runs.Run(
        experiment="decoding",
        cell=cell,
        seed=seed,
        config={"model": cell, "prompt": PROMPT, "written": written},
        selection=selection,
        data={"prompt": "drawn"},
        metrics=metrics
        | {"bytes": float(packed_bytes(model)), "linear_bytes": float(linear_bytes(model))}
        | zeros(model),
        examples=1,
        seconds=round(time.perf_counter() - started, 1),
        code=runs.code_state(),
        machine=runs.machine(),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each model, and write it as a run record."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.decoding", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, help="trained cells, such as runs-out/novels.db-llm.seed0"
    )
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    options = parser.parse_args(arguments)
    try:
        for folder in options.folders:
            run = measure(folder)
            runs.write(run, options.out / "runs")
            print(run.cell, *(f"{name} {value:,.4g}" for name, value in run.metrics.items()), flush=True)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
