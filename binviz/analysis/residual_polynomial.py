r"""What binarized attention leaves out, as a polynomial in the residuals (BiPFT, Xing et al. 2023, 2312.08937).

With the codes' values as main parts, $Q = Q_b + Q_r$ and $K = K_b + K_r$, the float scores of a head are exactly

$$\frac{QK^\top}{\sqrt d} = \frac{Q_bK_b^\top + Q_bK_r^\top + Q_rK_b^\top + Q_rK_r^\top}{\sqrt d}$$

and its context, with the probabilities A and the values V, is $A_bV_b + A_bV_r + A_rV_b + A_rV_r$. A binary layer
computes the first term; the other three are what BiPFT's estimators of low rank stand for: in the scores all of them,
one map for all heads, in the context $A_bV_r$ alone, one number a token for all heads and their features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from binviz.adapters import layout_of
from binviz.analysis.capture import Captured, capture, names
from binviz.errors import UserError

Matrix = NDArray[np.float64]
#: Terms in the order of the formula; the first is what a binary layer computes.
TERMS = ("main x main", "main x residual", "residual x main", "residual x residual")


@dataclass(frozen=True)
class Polynomial:
    """A product of two float matrices in four terms, which add up to it; and what estimators say of the last three.

    whole: (T, N) float64, the product of the float matrices: scores (T, T) over sqrt(d), context (T, d). terms: name ->
    of its shape. estimate: what the learned estimators add, or None. estimated: names of the terms that they stand for.
    rank: of the estimate as a matrix, at most.

    >>> ones = np.ones((2, 2))
    >>> found = Polynomial(4 * ones, dict.fromkeys(TERMS, ones), None, TERMS[1:], 1)
    >>> found.residual.tolist(), found.energies["main x main"]
    ([[3.0, 3.0], [3.0, 3.0]], 0.0625)
    """

    whole: Matrix
    terms: dict[str, Matrix]
    estimate: Matrix | None
    estimated: tuple[str, ...]
    rank: int

    @property
    def residual(self) -> Matrix:
        """What the estimators stand for: the sum of those terms."""
        return np.sum([self.terms[name] for name in self.estimated], axis=0)

    @property
    def energies(self) -> dict[str, float]:
        """Squared Frobenius norm of each term over that of the whole.

        Terms are not orthogonal, so that these need not add up to 1.
        """
        whole = np.square(self.whole).sum()
        return {name: float(np.square(term).sum() / whole) for name, term in self.terms.items()}

    @property
    def singular_values(self) -> dict[str, Matrix]:
        """Of each term, falling."""
        return {
            name: np.asarray(np.linalg.svd(term, compute_uv=False), np.float64)
            for name, term in self.terms.items()
        }

    @property
    def left(self) -> Matrix:
        """Share of the residual's energy that the best matrix of rank 0, 1, 2, ... leaves (Eckart and Young).

        >>> found = Polynomial(np.eye(2), dict.fromkeys(TERMS, np.diag([3.0, 1.0])), None, TERMS[1:2], 1)
        >>> found.left.round(3).tolist()
        [1.0, 0.1, 0.0]
        """
        squares = np.square(np.linalg.svd(self.residual, compute_uv=False))
        whole = squares.sum() or 1.0
        return np.append(np.cumsum(squares[::-1])[::-1], 0.0) / whole

    @property
    def left_by_estimators(self) -> float | None:
        """Share of the residual's energy that the learned estimators leave; above 1 they do harm. None without any."""
        if self.estimate is None:
            return None
        whole = np.square(self.residual).sum() or 1.0
        return float(np.square(self.residual - self.estimate).sum() / whole)


@dataclass(frozen=True)
class Polynomials:
    """Of one head: its scores and its context."""

    scores: Polynomial
    context: Polynomial


def residual_polynomial(
    model: nn.Module, inputs: Any, layer: int, head: int, example: int = 0
) -> Polynomials:
    """The decomposition of one head's scores and context; padding is left out.

    The float matrices are those that this model's binarizers are given. An operand that stays float has no residual.

    Args:
        model: binary, of an encoder with attention.
        inputs: as in `capture`.
        layer, head, example: which ones.

    Raises:
        UserError: a model without attention that binviz knows, one whose recipe binarizes the scores, or there is no
            such layer, head or example.

    >>> from transformers import BertConfig, BertModel
    >>> from binviz import binarize_
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50))
    >>> _ = binarize_(model, "bipft-b")
    >>> found = residual_polynomial(model, {"input_ids": torch.tensor([[2, 7, 9, 3]])}, layer=0, head=1)
    >>> bool(np.abs(sum(found.scores.terms.values()) - found.scores.whole).max() < 1e-9)
    True
    """
    blocks = layout_of(model).blocks
    if not 0 <= layer < len(blocks):
        raise UserError(f"there is no layer {layer}; this model has {len(blocks)} with attention")
    there, place = set(names(model)), blocks[layer].name
    if f"{place}.probs" not in there:
        raise UserError(
            "this model binarizes scores, not probabilities, so its softmax has no float counterpart"
        )
    wanted = [f"{place}.{part}{end}" for part in ("q", "k", "v", "probs") for end in ("", ".decoded")]
    found = capture(model, inputs, [name for name in (*wanted, f"{place}.q_in") if name in there])
    probs = found[f"{place}.probs"]
    for what, number, limit in (("head", head, probs.shape[1]), ("example", example, probs.shape[0])):
        if not 0 <= number < limit:
            raise UserError(f"there is no {what} {number} in layer {layer}; choose 0 to {limit - 1}")
    return polynomials_of(model, found, layer, example)[head]


def polynomials_of(model: nn.Module, found: Captured, layer: int, example: int = 0) -> list[Polynomials]:
    """The same of all heads of a layer, of what was captured already: so all of them cost one run.

    Args:
        model: as above.
        found: of it: queries, keys, values and probabilities of the layer, also `.decoded`, and what goes in, `q_in`.
        layer, example: which ones; there are such.

    Raises:
        UserError: something of this was not captured.
    """
    block = layout_of(model).blocks[layer]
    place = block.name
    probs = found[f"{place}.probs"]
    counted = found.counted(f"{place}.probs")
    allowed = np.broadcast_to(True if counted is None else counted, probs.shape)[example]
    estimators = getattr(getattr(model.get_submodule(block.attention), "binary", None), "estimators", None)
    return [
        _of_head(found, place, head, example, np.flatnonzero(allowed[head].any(-1)), estimators)
        for head in range(probs.shape[1])
    ]


def _of_head(
    found: Captured, place: str, head: int, example: int, kept: NDArray[Any], estimators: Any
) -> Polynomials:
    """Of one head; `kept` are the tokens that count."""

    def parts(name: str) -> tuple[Matrix, Matrix, Matrix]:
        """Whole, main part, residual; of the tokens that count."""
        arrays = found[f"{place}.{name}"], found.get(f"{place}.{name}.decoded", found[f"{place}.{name}"])
        at = np.ix_(kept, kept) if name == "probs" else kept
        whole, main = (np.asarray(array[example, head][at], dtype=np.float64) for array in arrays)
        return whole, main, whole - main

    (q, *q_parts), (k, *k_parts), (v, *v_parts), (a, *a_parts) = map(parts, ("q", "k", "v", "probs"))
    scaling = q.shape[-1] ** -0.5
    of_scores = of_context = None
    rank = 0
    if estimators is not None:
        rank = estimators.q_main.out_features
        with torch.no_grad():
            h = torch.as_tensor(found[f"{place}.q_in"][example][kept]).unsqueeze(0)
            h = h.to(next(estimators.parameters()))
            of_scores = scaling * estimators.scores(h)[0, 0].double().cpu().numpy()
            of_context = a_parts[0] @ estimators.values(h)[0, 0].double().cpu().numpy() * np.ones(v.shape[-1])

    def four(left: list[Matrix], right: list[Matrix]) -> dict[str, Matrix]:
        return dict(zip(TERMS, (x @ y for x in left for y in right), strict=True))

    return Polynomials(
        Polynomial(
            scaling * q @ k.T,
            four([scaling * part for part in q_parts], [part.T for part in k_parts]),
            of_scores,
            TERMS[1:],
            2 * rank,  # [q_m, q_p] times [k_p, k_m + k_p]
        ),
        Polynomial(a @ v, four(a_parts, v_parts), of_context, TERMS[1:2], 1 if rank else 0),
    )
