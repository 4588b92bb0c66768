r"""What an answer rests on: gradients along a way to nothing, and what really happens without a part of the input.

The score of an answer t are its log-odds, $f(x) = z_t - \log \sum_{j \ne t} e^{z_j}$ of the logits z, in nats.

- `integrated_gradients` (Sundararajan et al. 2017, 1703.01365, equation 1):
  $(x_i - r_i) \int_0^1 \partial f / \partial x_i \, (r + a (x - r)) \, da$. For a differentiable f they add up to
  $f(x) - f(r)$ (completeness). A binarizer's gradient is a surrogate, of another function than the one that runs, so
  in a 1-bit network they do not, however many steps the integral has: `Attribution.missing` says how far off they are.
- `ablation`: $f(x) - f(x \text{ with part } i \text{ of } r)$, one part at a time. Each number is a difference of two
  outputs, true of any network; parts that stand in for each other may all get nothing, so nothing adds up.
- `occlusion` (Zeiler and Fergus 2014, 1311.2901): the same with a window that slides, its mean for each part.

All three are captum's, on words (each a row of the embedding, or replaced whole) and pixels (all colours together).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from binviz.analysis.shadow import shadow
from binviz.analysis.sites import layout_for_reading
from binviz.errors import UserError

#: Inputs that are looked at.
READS = ("input_ids", "pixel_values")
#: Inputs that are run at once.
BATCH = 32


@dataclass(frozen=True)
class Attribution:
    """What each part of an input adds to the score of an answer.

    values: (T,) of each token, or (H, W) of each pixel, in nats. total: their sum, a part that is several pixels
    counted once. difference: of the score for the input and for the reference.

    >>> Attribution(np.array([0.5, 1.0]), total=1.5, difference=2.0).missing
    0.5
    """

    values: NDArray[np.float32]
    total: float
    difference: float

    @property
    def missing(self) -> float:
        """The difference less the sum: 0 for what is complete."""
        return self.difference - self.total


def log_odds(logits: Tensor, target: int) -> Tensor:
    """Of one class against all others: the logarithm of p / (1 - p).

    Args:
        logits: (..., classes).
        target: the class.

    Raises:
        UserError: there is no such class, or only one.

    >>> round(log_odds(torch.tensor([0.0, 2.0]), 1).item(), 4)
    2.0
    """
    classes = logits.shape[-1]
    if classes < 2 or not 0 <= target < classes:
        raise UserError(
            f"there is no answer {target} among {classes}; an attribution is of one among several"
        )
    others = [each for each in range(classes) if each != target]
    return logits[..., target] - logits[..., others].logsumexp(-1)


def masked(inputs: Mapping[str, Tensor], tokenizer: Any) -> Tensor:
    """A text without its words: every token but those that frame it replaced by the mask, or the unknown one.

    Args:
        inputs: of the tokenizer, batch 1. tokenizer: which knows the marks.

    Returns:
        Ids like `inputs["input_ids"]`.
    """
    ids = inputs["input_ids"]
    frame = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    nothing = next(
        mark
        for mark in (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id, 0)
        if mark is not None
    )
    stays = torch.isin(
        ids, torch.tensor([mark for mark in (*frame, tokenizer.pad_token_id) if mark is not None])
    )
    return torch.where(stays, ids, torch.full_like(ids, nothing))


def integrated_gradients(
    model: nn.Module, inputs: Mapping[str, Tensor], reference: Tensor, target: int, steps: int = 32
) -> Attribution:
    """Gradients of the score on the straight way from a reference, added up.

    Args:
        model: a classifier, float or 1-bit, of texts or pictures; it is not touched.
        inputs: of the forward call, batch 1, with "input_ids" or "pixel_values".
        reference: of their shape, an input that says nothing.
        target: the answer.
        steps: of the Gauss-Legendre rule.

    Raises:
        UserError: a packed model, which has no gradients, inputs of another kind, or another answer.
    """
    from captum.attr import IntegratedGradients, LayerIntegratedGradients

    twin, x, score = _ready(model, inputs, reference, target)
    options = {"n_steps": steps, "internal_batch_size": BATCH}
    if x.is_floating_point():
        found = IntegratedGradients(score).attribute(x, reference, **options).sum(1)[0]
    else:
        words = layout_for_reading(model).words
        if words is None:
            raise UserError(f"{type(model).__name__} has no word embedding that binviz knows")
        layer = twin.get_submodule(words)
        found = LayerIntegratedGradients(score, layer).attribute(x, reference, **options).sum(-1)[0]
    return _made(found, found.sum(), score, x, reference)


def ablation(
    model: nn.Module,
    inputs: Mapping[str, Tensor],
    reference: Tensor,
    target: int,
    patch: int = 1,
    batch: int = BATCH,
) -> Attribution:
    """How much of the score goes when one part is the reference's.

    Args:
        model, inputs, reference, target: as for `integrated_gradients`; the model may be packed.
        patch: side of the squares that a picture's parts are, in pixels.
        batch: inputs that run at once. How many there are moves the last digits of a float network.

    Raises:
        UserError: inputs of another kind, or another answer.
    """
    from captum.attr import FeatureAblation

    _, x, score = _ready(model, inputs, reference, target, gradient=False)
    parts = _parts(x, patch)
    found = FeatureAblation(score).attribute(x, reference, feature_mask=parts, perturbations_per_eval=batch)
    each = torch.zeros(int(parts.max()) + 1, dtype=found.dtype)
    each[parts.flatten()] = found.flatten()
    return _made(_flat(found), each.sum(), score, x, reference)


def occlusion(
    model: nn.Module,
    inputs: Mapping[str, Tensor],
    reference: Tensor,
    target: int,
    window: int = 2,
    batch: int = BATCH,
) -> Attribution:
    """How much of the score goes when a window is the reference's: of each part the mean of the windows over it.

    Args:
        model, inputs, reference, target, batch: as for `ablation`.
        window: tokens, or the side of a square of pixels; slides one by one.

    Raises:
        UserError: inputs of another kind, or another answer.
    """
    from captum.attr import Occlusion

    _, x, score = _ready(model, inputs, reference, target, gradient=False)
    sides = (
        tuple(min(window, side) for side in x.shape[2:])
        if x.is_floating_point()
        else (min(window, x.shape[1]),)
    )
    shape = (x.shape[1], *sides) if x.is_floating_point() else sides
    found = _flat(Occlusion(score).attribute(x, shape, baselines=reference, perturbations_per_eval=batch))
    return _made(found, found.sum(), score, x, reference)


def rank_agreement(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's correlation of two attributions: 1 the same order, 0 none, -1 the reverse; nan where one is constant.

    >>> rank_agreement(np.array([0.1, 0.2, 0.9]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    from scipy.stats import rankdata

    a, b = (rankdata(np.ravel(values)) for values in (one, other))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return round(float(np.corrcoef(a, b)[0, 1]), 12)


def _ready(
    model: nn.Module, inputs: Mapping[str, Tensor], reference: Tensor, target: int, gradient: bool = True
) -> tuple[nn.Module, Tensor, Callable[[Tensor], Tensor]]:
    """A shadow of the model, its main input, and the score as a function of that input, (B, ...) -> (B,)."""
    from binviz.packed.layers import PackedLayer

    if gradient and any(isinstance(part, PackedLayer) for part in model.modules()):
        raise UserError("a packed model has no gradients; give the model that it was packed from")
    name = next((name for name in READS if name in inputs), None)
    if name is None:
        raise UserError(f"inputs are {', '.join(inputs)}; an attribution is of {' or '.join(READS)}")
    x = inputs[name]
    if x.shape != reference.shape or len(x) != 1:
        raise UserError(
            f"the reference has the shape {tuple(reference.shape)}, the input {tuple(x.shape)}; give one input "
            "and a reference of its shape"
        )
    rest = {key: value for key, value in inputs.items() if key != name}
    twin = shadow(model).eval()

    def score(values: Tensor) -> Tensor:
        others = {key: value.expand(len(values), *value.shape[1:]) for key, value in rest.items()}
        return log_odds(twin(**{name: values}, **others).logits, target)

    return twin, x, score


def _made(
    values: Tensor, total: Tensor, score: Callable[[Tensor], Tensor], x: Tensor, reference: Tensor
) -> Attribution:
    with torch.no_grad():
        difference = score(x) - score(reference)
    return Attribution(values.detach().float().numpy(), total.item(), difference.item())


def _flat(found: Tensor) -> Tensor:
    """(1, T) -> (T,), and (1, C, H, W), which is the same for all colours, -> (H, W)."""
    return found[0] if found.ndim == 2 else found[0, 0]


def _parts(x: Tensor, patch: int) -> Tensor:
    """Number of the part that each entry belongs to: a token, or a square of pixels with all its colours.

    >>> _parts(torch.zeros(1, 1, 2, 4), 2)[0, 0].tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    if not x.is_floating_point():
        return torch.arange(x.shape[1])[None]
    high, wide = (torch.arange(side) // patch for side in x.shape[2:])
    return (high[:, None] * (int(wide.max()) + 1) + wide).expand(1, *x.shape[1:])
