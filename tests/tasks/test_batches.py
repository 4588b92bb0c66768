"""LengthBuckets: a pure function of seed and step that shows every example once an epoch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from binviz.tasks.batches import LengthBuckets

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=120)


@settings(max_examples=60)
@given(lengths=lengths, batch_size=st.integers(1, 40), seed=st.integers(0, 5), order=st.randoms())
def test_a_step_is_a_function_of_seed_and_step(lengths, batch_size, seed, order):
    one = LengthBuckets(lengths, batch_size, seed)
    steps = list(range(2 * one.per_epoch))
    wanted = [one(step) for step in steps]
    order.shuffle(steps)
    other = LengthBuckets(lengths, batch_size, seed)
    assert all(other(step) == wanted[step] for step in steps)


@settings(max_examples=60)
@given(lengths=lengths, batch_size=st.integers(1, 40), seed=st.integers(0, 5))
def test_an_epoch_shows_every_example_at_most_once(lengths, batch_size, seed):
    batches = LengthBuckets(lengths, batch_size, seed)
    size = min(batch_size, len(lengths))
    for epoch in range(2):
        shown = [batches(epoch * batches.per_epoch + i) for i in range(batches.per_epoch)]
        assert {len(batch) for batch in shown} == {size}
        flat = [index for batch in shown for index in batch]
        assert len(set(flat)) == len(flat) == len(lengths) // size * size
        assert set(flat) <= set(range(len(lengths)))
        assert all(type(index) is int for index in flat)


def test_seeds_and_epochs_differ():
    order = [LengthBuckets([1] * 64, 8, seed) for seed in (0, 1)]
    assert order[0](0) != order[1](0)
    assert order[0](0) != order[0](8)


def test_batches_are_of_similar_length():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, 800)
    batches = LengthBuckets(list(lengths), 16, 0)
    spread = [np.ptp(lengths[batches(step)]) for step in range(batches.per_epoch)]
    assert np.mean(spread) < 5  # of a random batch about 88
    means = [lengths[batches(step)].mean() for step in range(batches.per_epoch)]
    assert means != sorted(means)  # short batches do not come first
