"""Attention maps of a model, float or binary, ready to be drawn.

Three maps belong side by side, and two steps lie between them. From the teacher's probabilities to the student's
own leads *retraining*: `steps(...).agreement`. From the student's probabilities to its codes leads *binarization*:
`steps(...).mass_kept`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import nn

from binviz.adapters import layout_of
from binviz.analysis import metrics
from binviz.analysis.capture import capture, names
from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Map(NamedTuple):
    """One head's map for one example, without padding.

    labels: n names. probs: (n, n) float32, a row a query, before the binarizer. codes: (n, n) int8, or None in a
    float layer. ones: (n,) positive codes a query, or None. decoded: (n, n) float32, codes times scale plus shift,
    what the network multiplies with, or None.
    """

    labels: list[str]
    probs: NDArray[np.float32]
    codes: NDArray[np.int8] | None
    ones: NDArray[np.int64] | None
    decoded: NDArray[np.float32] | None = None

    @property
    def scale(self) -> tuple[float, float] | None:
        """What a one stands for, the least and the largest: the same unless each row has its own; None without ones.

        >>> Map(["a"], np.ones((1, 1)), np.ones((1, 1), np.int8), np.ones(1), np.full((1, 1), 0.25)).scale
        (0.25, 0.25)
        """
        if self.codes is None or self.decoded is None or not (self.codes > 0).any():
            return None
        ones = self.decoded[(self.codes > 0) & (self.codes == self.codes.max())]
        return float(ones.min()), float(ones.max())

    @property
    def threshold(self) -> tuple[float, float] | None:
        """The largest probability that became no one and the smallest that became one; the threshold lies between.

        None where a map has only one code, and where no single threshold parts the two, as with one for each row.

        >>> Map(["a", "b"], np.array([[0.9, 0.1]]), np.array([[1, 0]], np.int8), np.ones(1)).threshold
        (0.1, 0.9)
        """
        if self.codes is None:
            return None
        below, above = self.probs[self.codes <= 0], self.probs[self.codes > 0]
        if not below.size or not above.size or below.max() > above.min():
            return None
        return float(below.max()), float(above.min())


@dataclass(frozen=True)
class LayerAttention:
    """Attention of one layer; B examples (windows of all pictures in Swin), H heads, T tokens.

    name: canonical, "layers.0". probs: (B, H, T, T) float32, the softmax's output; where a recipe binarizes
    the scores, the softmax that they would have. codes: (B, H, T, T) int8, or None in a float layer.
    decoded: (B, H, T, T) float32, codes times scale plus shift, or None.
    counted: boolean, broadcastable to both, False at padding and at forbidden pairs; None = all count.

    >>> codes = np.array([[[[1, 0], [1, 1]]]], dtype=np.int8)
    >>> LayerAttention("layers.0", codes / 2, codes, None).ones.tolist()
    [[[1, 2]]]
    """

    name: str
    probs: NDArray[np.float32]
    codes: NDArray[np.int8] | None
    counted: NDArray[np.bool_] | None
    decoded: NDArray[np.float32] | None = None

    @property
    def mass_kept(self) -> NDArray[np.float64] | None:
        """(B, H): `metrics.mass_kept`, the network's own probability on its ones; None in a float layer."""
        return None if self.codes is None else metrics.mass_kept(self.probs, self.codes, self._allowed())

    @property
    def ones(self) -> NDArray[np.int64] | None:
        """(B, H, T): how many keys each query attends to, 0 for padding; None in a float layer."""
        return None if self.codes is None else metrics.ones_per_row(self.codes, self._allowed())

    def _allowed(self) -> NDArray[np.bool_]:
        return np.broadcast_to(True if self.counted is None else self.counted, self.probs.shape)


@dataclass(frozen=True)
class Attention:
    """Attention of every layer, and the names of the tokens.

    layers: in order. tokens: for each example its T names, padding included.
    """

    layers: tuple[LayerAttention, ...]
    tokens: tuple[tuple[str, ...], ...]

    def map(self, layer: int, head: int, example: int = 0) -> Map:
        """One head's map, cut to the tokens that are no padding.

        Raises:
            UserError: there is no such layer, head or example.
        """
        if not 0 <= layer < len(self.layers):
            raise UserError(f"there is no layer {layer}; choose 0 to {len(self.layers) - 1}")
        chosen = self.layers[layer]
        examples, heads = chosen.probs.shape[:2]
        for what, number, limit in (("head", head, heads), ("example", example, examples)):
            if not 0 <= number < limit:
                raise UserError(f"there is no {what} {number} in layer {layer}; choose 0 to {limit - 1}")
        kept = np.flatnonzero(chosen._allowed()[example, head].any(-1))
        square = np.ix_(kept, kept)
        labels = self.tokens[example] if example < len(self.tokens) else ()
        if len(labels) != chosen.probs.shape[-1]:
            labels = tuple(map(str, range(chosen.probs.shape[-1])))
        return Map(
            [labels[i] for i in kept],
            chosen.probs[example, head][square],
            None if chosen.codes is None else chosen.codes[example, head][square],
            None if chosen.ones is None else chosen.ones[example, head][kept],
            None if chosen.decoded is None else chosen.decoded[example, head][square],
        )


class Steps(NamedTuple):
    """One number for each head and step, (layers, heads) float64; nan where a layer has fewer heads than another.

    agreement: of the student's probabilities with the teacher's, `metrics.map_correlation`: what retraining changed.
    mass_kept: of the student's own probability on its ones, `metrics.mass_kept`: what binarization left; nan in a
    float layer.
    """

    agreement: NDArray[np.float64]
    mass_kept: NDArray[np.float64]


def steps(teacher: Attention, student: Attention, example: int = 0) -> Steps:
    """From the teacher's attention to the student's, and from there to its codes.

    Args:
        teacher: of the float model.
        student: of the binary one, on the same inputs.
        example: which of them.

    Raises:
        UserError: the two differ in layers, heads, or length.

    >>> codes = np.array([[[[1, 0], [1, 1]]]], dtype=np.int8)
    >>> binary = Attention((LayerAttention("layers.0", codes / [[[1], [2]]], codes, None),), ())
    >>> found = steps(binary, binary)
    >>> found.agreement.tolist(), found.mass_kept.tolist()
    ([[1.0]], [[1.0]])
    """
    shapes = [[layer.probs.shape for layer in each.layers] for each in (teacher, student)]
    if shapes[0] != shapes[1]:
        raise UserError("the two attentions differ in shape; give both models the same inputs")
    agreement, kept = [], []
    for a, b in zip(teacher.layers, student.layers, strict=True):
        allowed = b._allowed()[example]
        agreement.append(metrics.map_correlation(a.probs[example], b.probs[example], allowed))
        none = np.full(b.probs.shape[1], np.nan)
        kept.append(none if b.mass_kept is None else b.mass_kept[example])
    return Steps(_padded(agreement), _padded(kept))


def _padded(rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    most = max(map(len, rows))
    return np.stack([np.pad(row, (0, most - len(row)), constant_values=np.nan) for row in rows])


def attention(model: nn.Module, inputs: Any, tokenizer: Any = None) -> Attention:
    """Attention maps of an encoder: probabilities, and the codes that a binary layer makes of them.

    Call it with the float model and with the binary one to put both side by side.

    Args:
        model: BERT family, ViT, DeiT or Swin.
        inputs: as in `capture`.
        tokenizer: names the tokens of `input_ids`; without it, and for pictures, they are numbered.

    Raises:
        UserError: a model without attention that binviz knows; inputs that are no tensors.

    >>> import torch
    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50))
    >>> found = attention(model, {"input_ids": torch.tensor([[2, 7, 9, 3]])})
    >>> found.map(layer=0, head=1).probs.shape, found.layers[0].codes is None
    ((4, 4), True)
    """
    blocks = layout_of(model).blocks
    if not blocks:
        raise UserError(
            "this network has no attention that binviz knows; use a BERT-family, ViT, DeiT or Swin model"
        )
    there = set(names(model))
    maps = {b.name: f"{b.name}.probs" if f"{b.name}.probs" in there else f"{b.name}.scores" for b in blocks}
    wanted = [
        name for base in maps.values() for name in (base, f"{base}.code", f"{base}.decoded") if name in there
    ]
    captured = capture(model, inputs, wanted)
    layers = []
    for name, base in maps.items():
        found = captured[base]
        codes = captured.get(f"{base}.code")
        probs = found if base.endswith("probs") else _softmax(found)
        layers.append(
            LayerAttention(name, probs, codes, captured.counted(base), captured.get(f"{base}.decoded"))
        )
    return Attention(tuple(layers), _tokens(inputs, tokenizer))


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _tokens(inputs: Any, tokenizer: Any) -> tuple[tuple[str, ...], ...]:
    if tokenizer is None or not hasattr(inputs, "keys") or "input_ids" not in inputs:
        return ()
    return tuple(
        tuple(tokenizer.convert_ids_to_tokens(row)) for row in np.asarray(inputs["input_ids"]).tolist()
    )
