r"""BiBench's overall metrics (Qin et al. 2023, 2301.11233): one number for an operator on a whole track.

Each is a quadratic mean over groups of mean ratios between the binary and the float network,

$$\mathrm{OM} = \sqrt{\frac1G \sum_{g=1}^G \mathbb{E}^2[r_g]},$$

1 where nothing is lost or gained. **The formulas are from memory**, not looked up: the paper's code has none of them. A
quadratic mean lies above the plain one, so that what an operator is good at counts more than what it ruins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: One operation, or byte, of a float number is worth so many of one bit.
BITS, OPERATIONS = 32, 64


def quadratic_mean(means: ArrayLike) -> float:
    r"""$\sqrt{\frac1G \sum_g m_g^2}$ of the means of groups, (G,). It hides how far they lie apart.

    Raises:
        UserError: none, or one that is no number.

    >>> round(quadratic_mean([1.0, 0.5]), 4), quadratic_mean([0.75, 0.75])
    (0.7906, 0.75)
    """
    values = _numbers(means, "means")
    return float(np.sqrt(np.square(values).mean()))


def task(binary: Sequence[ArrayLike], floats: Sequence[ArrayLike]) -> float:
    r"""$\sqrt{\frac1N \sum_{i=1}^N \mathbb{E}^2[A^{bi}_i / A^{fp}_i]}$ over N tasks.

    It hides chance: an operator that always gives one answer keeps half of a task with two classes.

    Args:
        binary: of each task the accuracies of its networks.
        floats: of the same networks in float, in the same order.

    Raises:
        UserError: no tasks, other ones on both sides, or a value that is no number; a float one that is not above 0.

    >>> round(task([[0.9, 0.8], [0.5]], [[1.0, 1.0], [1.0]]), 4)
    0.6973
    """
    return quadratic_mean([ratio.mean() for ratio in _ratios(binary, floats)])


def architecture(binary: Sequence[ArrayLike], floats: Sequence[ArrayLike]) -> float:
    r"""$\sqrt{\frac13 (\mathbb{E}^2_{CNN} + \mathbb{E}^2_{Transformer} + \mathbb{E}^2_{MLP})}$ of the same ratios.

    It hides that kinds of networks were judged on different tasks.

    Args:
        binary: of each kind of network, whatever their number, the accuracies on its tasks.
        floats: of the same in float.

    Raises:
        UserError: as `task`.

    >>> round(architecture([[1.0], [0.5], [0.5]], [[1.0], [1.0], [1.0]]), 4)
    0.7071
    """
    return task(binary, floats)


def robust(normal: ArrayLike, corrupt: ArrayLike, normal_float: ArrayLike, corrupt_float: ArrayLike) -> float:
    r"""$\sqrt{\frac1C \sum_{i=1}^C \mathbb{E}^2[G^{fp}_i / G^{bi}_i]}$, $G = A_{normal} - A_{corrupt}$.

    It hides the accuracy itself: an operator with nothing to lose has a small gap, and scores high.

    Args:
        normal, normal_float: (networks,) accuracies on clean pictures.
        corrupt, corrupt_float: (C, networks) under each corruption.

    Raises:
        UserError: shapes that do not fit, a value that is no number, or a binary network without a gap.

    >>> round(robust([0.8], [[0.6], [0.4]], [0.9], [[0.8], [0.7]]), 4)
    0.5
    """
    gap = _less(normal, corrupt)
    gap_float = _less(normal_float, corrupt_float)
    return task(list(gap_float), list(gap))


def training(
    seconds: ArrayLike, seconds_float: ArrayLike, spread: ArrayLike, spread_float: ArrayLike
) -> float:
    r"""$\sqrt{\frac12 (\mathbb{E}^2[T^{fp}/T^{bi}] + \mathbb{E}^2[\sigma(A^{fp})/\sigma(A^{bi})])}$.

    It hides which settings were tried: the spread is over them, and who tries tame ones has little.

    Args:
        seconds, seconds_float: (networks,) of training.
        spread, spread_float: (networks,) standard deviations of the accuracy over settings.

    Raises:
        UserError: as `task`; a binary time or spread that is not above 0.

    >>> round(training([20.0], [10.0], [0.02], [0.01]), 4)
    0.5
    """
    return task([seconds_float, spread_float], [seconds, spread])


def complexity(
    parameters: ArrayLike, parameters_kept: ArrayLike, operations: ArrayLike, operations_kept: ArrayLike
) -> float:
    r"""$\sqrt{\frac12 (\mathbb{E}^2[r_c] + \mathbb{E}^2[r_s])}$, what storage and operations are divided by.

    $$r_c = \frac{|M|}{\frac1{32}(|M| - |\hat M|) + |\hat M|}, \quad
    r_s = \frac{F}{\frac1{64}(F - \hat F) + \hat F}$$

    with a hat: what stays float. It hides the machine: 64 operations of one bit in the time of one is a count, not a
    measurement.

    Args:
        parameters, parameters_kept: (networks,) all, and those that stay float.
        operations, operations_kept: (networks,) likewise.

    Raises:
        UserError: no networks, a value that is no number, or one that is not above 0.

    >>> complexity([100.0], [100.0], [100.0], [100.0]), round(complexity([100.0], [0.0], [100.0], [0.0]), 2)
    (1.0, 50.6)
    """
    smaller = []
    for whole, kept, worth in (
        (parameters, parameters_kept, BITS),
        (operations, operations_kept, OPERATIONS),
    ):
        smaller.append(_less(whole, kept) / worth + _numbers(kept, "what stays float"))
    return task([parameters, operations], smaller)


def inference(
    seconds: ArrayLike, seconds_float: ArrayLike, storage: ArrayLike, storage_float: ArrayLike
) -> float:
    r"""$\sqrt{\frac12 (\mathbb{E}^2[T^{fp}/T^{bi}] + \mathbb{E}^2[S^{fp}/S^{bi}])}$, measured on a device.

    It hides the device and the float library: a slow float baseline makes any operator fast.

    Args:
        seconds, seconds_float: (devices,) of an answer.
        storage, storage_float: (devices,) bytes.

    Raises:
        UserError: as `task`; a binary time or size that is not above 0.

    >>> round(inference([1.0], [10.0], [1.0], [20.0]), 2)
    15.81
    """
    return task([seconds_float, storage_float], [seconds, storage])


def _numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """As finite numbers, at least one.

    Raises:
        UserError: they are not; a run that failed has no number.
    """
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} must be numbers, as many on every side: {error}") from error
    if not found.size or not np.isfinite(found).all():
        raise UserError(f"{what} must be finite numbers, at least one; leave out what was not run or failed")
    return found


def _less(values: ArrayLike, taken: ArrayLike) -> NDArray[np.float64]:
    """Values (N,) less what is taken from each, (N,) or (C, N).

    Raises:
        UserError: they do not fit.
    """
    one, other = _numbers(values, "values"), _numbers(taken, "values")
    if one.ndim != 1 or one.shape != other.shape[-1:]:
        raise UserError(f"{one.shape} values do not fit {other.shape}; give one for each network")
    return one - other


def _ratios(above: Sequence[ArrayLike], below: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    """Group by group.

    Raises:
        UserError: the groups do not fit, or something is divided by what is not above 0.
    """
    pairs = [
        (_numbers(one, "values"), _numbers(other, "values")) for one, other in zip(above, below, strict=False)
    ]
    if len(above) != len(below) or any(one.shape != other.shape for one, other in pairs):
        raise UserError("values and what they are compared with must have the same groups; give one for each")
    if any((other <= 0).any() for _, other in pairs):
        raise UserError("values are divided by what is 0 or less; leave such a network out")
    return [one / other for one, other in pairs]
