"""Which examples make up which step: a pure function of (seed, step), so that a resumed run sees the same ones."""

from __future__ import annotations

import numpy as np


class LengthBuckets:
    """Batches of examples of similar length, in random order.

    Args:
        lengths: length of every example, at least one; equal lengths make plain shuffled batches.
        batch_size: examples in a step; an epoch's incomplete last batch is dropped.
        seed: of the order.

    >>> batches = LengthBuckets([3, 9, 3, 9], batch_size=2, seed=0)
    >>> sorted(tuple(sorted(batches(step))) for step in range(2))
    [(0, 2), (1, 3)]
    """

    #: Examples are sorted by length within windows of this many batches.
    window = 50

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = min(batch_size, len(lengths))
        self.seed = seed
        self.per_epoch = len(lengths) // self.batch_size
        self._epoch, self._batches = -1, np.empty((0, 0), dtype=np.int64)

    def __call__(self, step: int) -> list[int]:
        """Indices of the examples of a step."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffle(epoch)
        return self._batches[position].tolist()

    def _shuffle(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.lengths))[: self.per_epoch * self.batch_size]
        size = self.window * self.batch_size
        windows = [order[start : start + size] for start in range(0, len(order), size)]
        by_length = [window[np.argsort(self.lengths[window], kind="stable")] for window in windows]
        batches = np.concatenate(by_length).reshape(self.per_epoch, self.batch_size)
        return batches[rng.permutation(self.per_epoch)]
