r"""How much of a network is in its signs: which of them training changed, and what is left when some are flipped.

In the packed file a flip is an XOR. For the words $w$ of a layer and a patch $p$ whose bits are 1 where a sign is to
change,

$$w' = w \oplus p, \qquad w' \oplus p = w$$

so that a patch undoes itself, and costs what the words cost to read. Padding bits of a patch are 0.
"""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from binviz_kernels import pack_rows
from numpy.typing import NDArray
from torch import nn

from binviz.convert import binarize_
from binviz.errors import UserError, near
from binviz.packed.layers import PackedLayer, pack_layer
from binviz.packed.pack import binary_layers
from binviz.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd

Words = NDArray[np.uint64]


def changed_signs(start: nn.Module, model: nn.Module, recipe: str | Recipe) -> pd.DataFrame:
    """Which share of a 1-bit model's signs differs from those of the float model that its training started from.

    The start's signs are those that the recipe gives its weights, without any training.

    Args:
        start: float, of the same architecture; it is copied, not changed.
        model: 1-bit, of that recipe; it may have been loaded from a packed file.
        recipe: a name or a Recipe.

    Returns:
        One row for each 1-bit layer in model order, and one for "all". Columns: name, canonical; layer, its number or
        -1; path, of the module; weights and changed, counts; share, of both.

    Raises:
        UserError: the two have other layers, or the recipe is unknown.

    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> binary = copy.deepcopy(network)
    >>> _ = binarize_(binary, "bnn")
    >>> _ = binary[1].weight.data[0].neg_()
    >>> changed_signs(network, binary, "bnn")[["name", "weights", "changed"]].values.tolist()
    [['1', 64, 8], ['all', 64, 8]]
    """
    import pandas as pd

    begun = copy.deepcopy(start)
    names = {row.module: row.name for row in binarize_(begun, recipe).rows}
    before, after = binary_layers(begun), binary_layers(model)
    if list(before) != list(after):
        odd = min(set(before) ^ set(after), default="their order")
        raise UserError(f"the two models have other 1-bit layers ({odd}); compare a model with its own start")
    rows: list[dict[str, Any]] = []
    for path, layer in after.items():
        words, others = (pack_layer(each)[0].numpy() for each in (before[path], layer))
        if words.shape != others.shape:
            raise UserError(f"{path} has another shape in the two models; compare a model with its own start")
        name = names[path]
        number = name.removeprefix("layers.").partition(".")[0] if name.startswith("layers.") else "-1"
        rows.append(
            {
                "name": name,
                "layer": int(number),
                "path": path,
                "weights": layer.weight_binarizer.bit_count * layer.weight.numel(),
                "changed": int(np.bitwise_count(words ^ others).sum()),
            }
        )
    sums = {column: sum(row[column] for row in rows) for column in ("weights", "changed")}
    table = pd.DataFrame([*rows, {"name": "all", "layer": -1, "path": "", **sums}])
    table["share"] = table.changed / table.weights
    return table


@dataclass(frozen=True)
class Flips:
    """A patch of signs.

    words: path of a layer -> uint64, shaped as its bits; 1 where a sign changes.

    >>> patch, words = Flips({"a": np.array([[5]], np.uint64)}), {"a": np.array([[4]], np.uint64)}
    >>> patch.apply_(words)
    >>> patch.count, words["a"].tolist()
    (2, [[1]])
    """

    words: Mapping[str, Words]

    @property
    def count(self) -> int:
        """How many signs change."""
        return sum(int(np.bitwise_count(words).sum()) for words in self.words.values())

    def apply_(self, words: MutableMapping[str, Words]) -> None:
        """XOR it into words, in place; once more undoes it.

        Args:
            words: path -> of every layer that changes, uint64.
        """
        for path, patch in self.words.items():
            np.bitwise_xor(words[path], patch, out=words[path])


def packed_layers(model: nn.Module) -> dict[str, PackedLayer]:
    """Path -> layer, in module order.

    Raises:
        UserError: the model has none, or some that run as one call of the kernels, which has its own copy of the bits.
    """
    from binviz.packed.fused import FusedLayers

    found = {path: part for path, part in model.named_modules() if isinstance(part, PackedLayer)}
    if not found or any(isinstance(part, FusedLayers) and part.weights for part in model.modules()):
        raise UserError("signs are flipped in a model from binviz.pack(model, fused=False)")
    return found


def random_flips(model: nn.Module, share: float, seed: int = 0, paths: Sequence[str] | None = None) -> Flips:
    """A patch that flips a share of the signs of layers, drawn at random without replacement.

    A layer's flips depend on its path, the seed and the share alone; a larger share has those of a smaller one too.

    Args:
        model: of `pack`, with fused=False; it is not changed.
        share: 0 to 1, of each layer's weights; the nearest whole number of them is flipped.
        seed: of the draw.
        paths: of the layers; None for all.

    Raises:
        UserError: a share beyond 0 to 1, a path without a packed layer, or another model.

    >>> import binviz
    >>> from binviz import binarizers
    >>> from binviz.layers import BinaryLinear
    >>> layer = BinaryLinear(65, 2, weight=binarizers.get("bnn"), activation=binarizers.get("bnn"))
    >>> random_flips(binviz.pack(nn.Sequential(layer)), 0.1).count
    13
    """
    layers = packed_layers(model)
    if not 0 <= share <= 1:
        raise UserError(f"a share of signs is a number from 0 to 1, not {share}")
    for path in paths or ():
        if path not in layers:
            raise UserError(f"no packed layer {path!r}; {near(path, list(layers))}")
    return Flips(
        {
            path: _drawn(layers[path], share, [seed, zlib.crc32(path.encode())])
            for path in (layers if paths is None else paths)
        }
    )


def _drawn(layer: PackedLayer, share: float, seed: Sequence[int]) -> Words:
    rows, K = len(layer.bits), math.prod(layer.shape[1:])
    flips = np.zeros(rows * K, bool)
    if count := round(share * len(flips)):
        flips[np.random.default_rng(seed).permutation(len(flips))[:count]] = True
    return pack_rows(flips.reshape(rows, K)).words


@contextmanager
def flipped(model: nn.Module, flips: Flips) -> Iterator[None]:
    """Inside, the model has those signs flipped; afterwards its bits are as they were, also if something went wrong.

    Args:
        model: of `pack`, with fused=False.
        flips: for this model.

    Raises:
        UserError: another model.
    """
    layers = packed_layers(model)

    def flip() -> None:
        for path, words in flips.words.items():
            layers[path].flip_(words)

    flip()
    try:
        yield
    finally:
        flip()


def scores_of_flips(
    model: nn.Module,
    evaluate: Callable[[nn.Module], float],
    shares: Sequence[float],
    seeds: int = 3,
    paths: Sequence[str] | None = None,
    progress: Callable[[float, str], object] = lambda share, text: None,
) -> pd.DataFrame:
    """What a 1-bit model still gets right with shares of its signs flipped at random.

    Args:
        model: of `pack`, with fused=False; its bits change, and are in the end as they were.
        evaluate: model -> a number, the higher the better; accuracy in [0, 1], say.
        shares: 0 to 1, of each layer's weights.
        seeds: how many draws of each share; without flips one is enough.
        paths: of the layers; None for all.
        progress: called before each evaluation with the share that is done and a line; may raise.

    Returns:
        One row an evaluation. Columns: share, seed, flips (count), score.

    Raises:
        UserError: as `random_flips`.
    """
    import pandas as pd

    trials = [(share, seed) for share in shares for seed in range(seeds if share else 1)]
    rows: list[dict[str, Any]] = []
    for share, seed in trials:
        progress(len(rows) / len(trials), f"{100 * share:g} % of the signs flipped, seed {seed}")
        patch = random_flips(model, share, seed, paths)
        with flipped(model, patch):
            score = float(evaluate(model))
        rows.append({"share": share, "seed": seed, "flips": patch.count, "score": score})
    return pd.DataFrame(rows)
