"""Whole models on bits beside the same architectures in torch: float32, bfloat16 and dynamic int8.

Weights are random: no time depends on them. Every contestant gets the same inputs and gives logits. bfloat16 is
left out where the processor has no instructions for it. Torch's attention is its fused one (sdpa); int8 is torch's
dynamic quantization of the linear layers.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, ViTConfig, ViTForImageClassification

import binviz
from binviz.bench.kernels import dynamic_int8, set_threads
from binviz.bench.machine import describe, lacks_bfloat16
from binviz.bench.timing import interleave, ratios, spreads

TOKENS = 128


class Case(NamedTuple):
    """One architecture.

    make: a float model of random weights. recipes: of its packed forms. batches: how many examples at once.
    """

    make: Callable[[], nn.Module]
    recipes: tuple[str, ...]
    batches: tuple[int, ...]


def minilm() -> nn.Module:
    """A classifier of all-MiniLM-L6-v2's size."""
    return BertForSequenceClassification(
        BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
            attn_implementation="sdpa",
        )
    )  # fmt: skip


CASES = {
    "BERT-base": Case(
        lambda: BertForSequenceClassification(BertConfig(attn_implementation="sdpa")),
        ("bit-w1a1", "bit-w1a2", "bit-w1a4"),
        (1, 8),
    ),
    "MiniLM": Case(minilm, ("bit-w1a1",), (1, 8)),
    "ViT-B/16": Case(
        lambda: ViTForImageClassification(ViTConfig(attn_implementation="sdpa")),
        ("bibert", "bivit-w1a1"),
        (1,),
    ),
}


def build(case: Case) -> dict[str, nn.Module]:
    """The contestants: packed models by their recipes' names, float32, and bfloat16 and int8 where there are such."""
    torch.manual_seed(0)
    model = case.make().eval()
    models = {}
    for recipe in case.recipes:
        binary = copy.deepcopy(model)
        binviz.binarize_(binary, recipe)
        with torch.inference_mode():
            binary.eval()(**inputs(binary, 1))  # its scales start from a first batch
        models[recipe] = binviz.pack(binary)
    models["float32"] = model
    if not lacks_bfloat16(describe()["flags"]):
        models["bfloat16"] = copy.deepcopy(model).bfloat16()
    int8 = dynamic_int8(model)
    return models if int8 is None else models | {"int8": int8}


def inputs(model: nn.Module, batch: int, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of the model's own type: texts of 128 tokens, or pictures."""
    random = torch.Generator().manual_seed(seed)
    config: Any = model.config
    if hasattr(config, "image_size"):
        shape = batch, config.num_channels, config.image_size, config.image_size
        return {"pixel_values": torch.randn(shape, generator=random).to(next(model.parameters()).dtype)}
    ids = torch.randint(config.vocab_size, (batch, TOKENS), generator=random)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def contestants(models: dict[str, nn.Module], batch: int) -> dict[str, Callable[[], object]]:
    """What `build` gave, each as a function that computes the logits of one batch."""

    def run(model: nn.Module) -> Callable[[], object]:
        batch_ = inputs(model, batch)
        return lambda: model(**batch_).logits

    return {name: run(model) for name, model in models.items()}


def measure(
    name: str, models: dict[str, nn.Module], threads: int, batch: int, rounds: int
) -> list[dict[str, Any]]:
    """Lines of the table, one for each recipe.

    Args:
        name: of `CASES`.
        models: from `build`.
        threads: of torch and of the kernels.
        batch: how many examples at once.
        rounds: how often each contestant is timed.

    Returns:
        model, recipe, threads, batch, seconds (ours is "binviz"), and ratio of torch's times to ours.
    """
    set_threads(threads)
    with torch.inference_mode():
        times = interleave(contestants(models, batch), rounds)
    recipes = [recipe for recipe in CASES[name].recipes if recipe in times]
    torchs = {kind: sample for kind, sample in times.items() if kind not in recipes}
    lines = []
    for recipe in recipes:
        both = {"binviz": times[recipe], **torchs}
        lines.append(
            {
                "model": name, "recipe": recipe, "threads": threads, "batch": batch,
                "seconds": spreads(both), "ratio": ratios(both, "binviz"),
            }
        )  # fmt: skip
    return lines
