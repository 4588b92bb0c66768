"""What the page Your model computes and says; no Streamlit here."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor, nn

from binviz import analysis, binarize_, costs, plots, recipes, zoo
from binviz.binarizers.start import unstarted
from binviz.convert.table import Conversion
from binviz.costs import Costs
from binviz.data import photos, sentences
from binviz.data.pictures import squared
from binviz.errors import UserError
from binviz.evidence import names
from binviz.saving.card import card
from binviz.saving.packed import packed_bytes, save_packed
from binviz.words import percent, times
from binviz.zoo.outside import Found
from binviz_dashboard import inside
from binviz_dashboard.models import size

#: Names of the bundled float models -> as a person calls them.
BUNDLED = {
    each.name: f"{names.TASKS.get(each.task, each.task)}, {names.ARCHITECTURES.get(each.arch, each.arch)}"
    for each in map(zoo.describe, zoo.names("*.float"))
}
#: Names of this machine in its own browser.
HERE = ("localhost", "127.0.0.1", "::1")
#: Sentences that a text model is measured on, and tokens of the longest.
SENTENCES, TOKENS = 8, 48


def only_here(address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether nobody but who sits at this machine can have asked.

    Args:
        address: on which the dashboard listens; None is all of them.
        headers: of the request.

    >>> only_here("localhost", {"Host": "localhost:8501"}), only_here("0.0.0.0", {"Host": "localhost:8501"})
    (True, False)
    >>> only_here("localhost", {"Host": "bits.example"}), only_here("localhost", {"X-Forwarded-For": "10.0.0.7"})
    (False, False)
    """
    known = {name.lower(): value for name, value in headers.items()}
    forwarded = any(
        name in known for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
    )
    host = urlsplit(f"//{known.get('host', 'localhost')}").hostname
    return address in HERE and host in HERE and not forwarded


class Planned(NamedTuple):
    """What a recipe would make of a model, counted without its weights.

    conversion: the table. bytes: of the packed file's tensors. float_bytes: of the model in float32. costs: by the rule
    "everything".
    """

    conversion: Conversion
    bytes: int
    float_bytes: int
    costs: Costs


def plan(found: Found, recipe: str, tokens: int) -> Planned:
    """What a recipe would make of a model.

    Args:
        found: the model. recipe: name of it. tokens: length of a text for the costs; of other models nothing.

    Raises:
        UserError: the model cannot be converted.
    """
    model = found.skeleton()
    float_bytes = 4 * sum(parameter.numel() for parameter in model.parameters())
    with torch.device("meta"):
        conversion = binarize_(model, recipe)
    return Planned(
        conversion, packed_bytes(model), float_bytes, costs.of(model, tokens=tokens, rule="everything")
    )


def most_tokens(found: Found) -> int | None:
    """The longest text that a model takes, at most 512; None where it reads none."""
    written = found.config.keys() & {"vocab_size", "image_size"}
    config: Any = found.config if written else vars(found.skeleton().config)  # a file may leave out defaults
    if "vocab_size" not in config or "image_size" in config:
        return None
    return min(int(config.get("max_position_embeddings") or 512), 512)


def table(conversion: Conversion) -> pd.DataFrame:
    """The conversion for reading, a row for each layer."""
    return pd.DataFrame(
        {
            "layer": row.name,
            "kind": row.kind,
            "shape": " × ".join(map(str, row.shape)),
            "weight": row.weight,
            "activation": row.activation,
            "1-bit weights": row.weights,
            "floats": row.floats,
            "why float": row.why,
        }
        for row in conversion.rows
    )


def in_words(planned: Planned, recipe: str) -> str:
    """What becomes of the model by that recipe, in sentences."""
    done = planned.conversion
    said = (
        f"By {recipe} {done.bits:,} of its numbers become 1-bit weights, and {done.floats:,} stay float "
        f"({percent(done.bits / max(done.bits + done.floats, 1))} are binary). The packed file has "
        f"{size(planned.bytes)}, 1/{times(planned.float_bytes / planned.bytes)} of the "
        f"{size(planned.float_bytes)} that float32 takes."
    )
    if done.without_place:
        said += f" The model has no place for the recipe's {', '.join(done.without_place)}."
    return said


class Measured(NamedTuple):
    """What was measured of a converted model, and what can be taken away.

    errors: of `analysis.errors`. lost: of `analysis.sensitivity`. alike: cosine of what both give, 1 the same. read: on
    what. file: the packed model. card: its README.md.
    """

    errors: pd.DataFrame
    lost: pd.DataFrame
    alike: float
    read: str
    file: bytes
    card: str


def measure(found: Found, recipe: str, tell: Callable[[float, str], None], keep: bool = False) -> Measured:
    """Read a model, convert a copy, compare both, and pack the copy; nothing is trained.

    Args:
        found: the model. recipe: name of the recipe. tell: called with the share that is done; may raise.
        keep: what is fetched from the hub, for the next time.

    Raises:
        UserError: the model cannot be read, converted or measured.
    """
    floats, tokenizer = found.load(tell, keep)
    inputs, read = examples(floats, tokenizer)
    tell(0.1, "converting")
    bits = copy.deepcopy(floats)
    conversion = binarize_(bits, recipe)
    with torch.inference_mode():
        if unstarted(bits):
            bits.eval()(**inputs)
        alike = same(output(floats, inputs), output(bits, inputs))
    tell(0.15, "errors of every layer")
    errors = analysis.errors(floats, bits, inputs)
    lost = sensitivity(
        floats, recipe, inputs, lambda share, text: tell(0.25 + 0.65 * share, f"alone 1-bit: {text}")
    )
    tell(0.9, "packing")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "model.safetensors")
        packed = save_packed(bits, place, tokenizer)
        file = place.read_bytes()
    float_size = 4 * sum(parameter.numel() for parameter in floats.parameters())
    said = {f"cosine of its outputs and the float model's on {read}": f"{alike:.3f} (1 is the same)"}
    text = card(found.source, conversion, packed, float_size, said, found.revision, found.licence)
    return Measured(errors, lost, alike, read, file, text)


def examples(model: nn.Module, tokenizer: Any) -> tuple[dict[str, Tensor], str]:
    """A batch for a model, and what it is: bundled sentences or photographs.

    Raises:
        UserError: it reads neither, or texts without a tokenizer.
    """
    config: Any = model.config
    if hasattr(config, "image_size"):
        sides = config.image_size if isinstance(config.image_size, int) else max(config.image_size)
        pixels = np.stack([squared(photos.load(name), sides) for name in photos.NAMES]) / 127.5 - 1
        batch = torch.tensor(pixels, dtype=torch.float32).permute(0, 3, 1, 2)
        batch = batch if config.num_channels == 3 else batch.mean(1, keepdim=True)
        return {"pixel_values": batch}, "the two bundled photographs"
    if not hasattr(config, "vocab_size"):
        raise UserError(
            f"{type(model).__name__} reads neither text nor pictures, so nothing of it is measured here"
        )
    if tokenizer is None or not hasattr(tokenizer, "pad"):
        raise UserError("the model has no tokenizer that can be used, so nothing of it is measured here")
    texts = [each.text for each in sentences.load()[:SENTENCES]]
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    given = dict(tokenizer(texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"))
    return given, f"{SENTENCES} bundled sentences"


def output(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """What a model gives: logits, or the last hidden states."""
    found = model.eval()(**inputs)
    for name in ("logits", "last_hidden_state", "image_embeds"):
        if isinstance(value := getattr(found, name, None), Tensor):
            return value
    raise UserError(f"{type(model).__name__} gives neither logits nor hidden states")


def same(one: Tensor, other: Tensor) -> float:
    """Cosine of two outputs: 1 the same direction, 0 unrelated.

    >>> same(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.0]))
    1.0
    """
    return float(
        torch.nn.functional.cosine_similarity(one.double().flatten(), other.double().flatten(), dim=0)
    )


def sensitivity(
    floats: nn.Module, recipe: str, inputs: Mapping[str, Tensor], tell: Callable[[float, str], None]
) -> pd.DataFrame:
    """`analysis.sensitivity` of whole layers: how far the output turns, 1 less the cosine."""
    with torch.inference_mode():
        own = output(floats, inputs)
        return analysis.sensitivity(
            floats,
            recipe,
            lambda model: same(output(model, inputs), own),
            "block",
            lambda done, total, name: tell(done / total, name),
        )


def errors_figure(found: pd.DataFrame) -> go.Figure:
    """`plots.network` of the relative errors that each layer makes by itself."""
    grid = inside.grid(found, "layer", "local", "relative error")
    return plots.network(*grid, **inside.as_arguments("relative error"))


def sensitivity_figure(lost: pd.DataFrame) -> go.Figure:
    """`plots.bars` of what each layer alone, and all together, turn the output by."""
    rows = lost.iloc[1:]
    return plots.bars(
        [name.removeprefix("layers.") for name in rows["name"]],
        {"1-bit": rows["lost"].tolist()},
        "layer that alone is 1-bit (number)",
        "1 − cosine (no unit, 0 = the same)",
    )


def known_recipes() -> list[str]:
    """Names of recipes, the usual one first."""
    return sorted(recipes.names(), key=lambda name: name != "bit-w1a1")
