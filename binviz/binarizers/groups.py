r"""A weight whose rows have several scales: one for each group of neighbouring numbers.

A row of K numbers in groups of g is K / g rows of g numbers, each with a scale of its own, so a binarizer of rows is
one of groups. DB-LLM (Chen et al. 2024, 2402.11960) has groups of 64.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code
from binviz.errors import UserError


class InGroups(Binarizer):
    r"""Another binarizer of weights, of each group of neighbours in a row by itself.

    $$\hat w_{n,\,gi + j} = \hat v_{nG + i,\,j}, \qquad v_{nG + i,\,j} = w_{n,\,gi + j}, \quad G = K / g$$

    The gradient is that of the other. A layer sums the products of each group, then scales and adds them up.

    Args:
        inner: with a scale for each row; where it has features, those are the groups of all rows.
        group: g, how many neighbours share a scale.

    Raises:
        UserError: a group is no whole number of 1 or more, or `inner` has no scale for each row; at the first weight,
            it is no matrix whose rows have whole groups.

    >>> import torch
    >>> from binviz import binarizers
    >>> InGroups(binarizers.get("xnor-weight", channel_axis=0), 2)(torch.tensor([[1.0, -3.0, 0.5, 0.5]])).tolist()
    [[2.0, -2.0, 0.5, 0.5]]
    """

    takes = ()
    scale_kind = "per_group"
    group: int

    def __init__(self, inner: Binarizer, group: int) -> None:
        super().__init__(features=inner.features, channel_axis=0)
        if inner.scale_kind != "per_row" or inner.shifted:
            raise UserError(
                f"{type(inner).__name__} has no scale for each row, so it has none for each group"
            )
        self.inner, self.group = inner, check_group(group)
        self.levels, self.basis_count, self.offset = inner.levels, inner.basis_count, inner.offset

    def initialize(self, x: Tensor) -> None:
        self.inner.initialize(self._rows(x))

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        codes = self.inner.bases(self._rows(w))
        return tuple(
            Code(q.reshape(w.shape), scale.expand(q.shape).reshape(w.shape), shift)
            for q, scale, shift in codes
        )

    def forward(self, x: Tensor) -> Tensor:
        """As `Binarizer.forward`, with scales that are not repeated for each number."""
        return self.inner(self._rows(x)).reshape(x.shape)

    def _rows(self, w: Tensor) -> Tensor:
        if w.ndim != 2 or w.shape[1] % self.group:
            raise UserError(
                f"a weight of shape {tuple(w.shape)} has no rows of whole groups of {self.group}; choose a group that "
                "divides them"
            )
        return w.reshape(-1, self.group)


def check_group(group: Any) -> int:
    """The group itself.

    Raises:
        UserError: no whole number of 1 or more.

    >>> check_group(64)
    64
    """
    if isinstance(group, bool) or not isinstance(group, int) or group < 1:
        raise UserError(f"a group is a whole number of weights, 1 or more, not {group!r}")
    return group
