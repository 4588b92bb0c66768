"""Times that can be compared: contestants take turns, medians are kept, ratios are taken within a round.

A machine slows down and speeds up while a benchmark runs. Contestants measured one after the other meet
different machines; taking turns, they meet the same one, and the ratio of two neighbours in one round is
worth more than the ratio of two averages.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """The middle of a sample and where its middle half lies."""

    median: float
    low: float  # a quarter of the sample is below
    high: float  # a quarter is above


def interleave(
    contestants: Mapping[str, Callable[[], object]], rounds: int = 30, seconds: float = 0.005
) -> dict[str, list[float]]:
    """Time each contestant once per round.

    Args:
        contestants: name -> function without arguments. Each is called once unmeasured, to compile and to
            warm the caches.
        rounds: how often each is timed. Every round starts with the next contestant.
        seconds: a fast function is called as often as it takes to fill this time.

    Returns:
        name -> seconds per call, one for each round.

    >>> times = interleave({"a": lambda: sum(range(10)), "b": lambda: None}, rounds=3, seconds=1e-5)
    >>> {name: len(samples) for name, samples in times.items()}
    {'a': 3, 'b': 3}
    """
    for function in contestants.values():
        function()
    # The second call is the first that takes its usual time.
    calls = {name: max(1, round(seconds / _time(function, 1))) for name, function in contestants.items()}
    order = list(contestants)
    samples: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        for name in order:
            samples[name].append(_time(contestants[name], calls[name]) / calls[name])
        order = order[1:] + order[:1]
    return samples


def spread(sample: list[float]) -> Spread:
    """Median and quartiles.

    >>> spread([1.0, 2.0, 3.0, 4.0, 100.0])
    Spread(median=3.0, low=2.0, high=4.0)
    """
    low, median, high = np.quantile(sample, [0.25, 0.5, 0.75]).tolist()
    return Spread(median, low, high)


def ratio(slow: list[float], fast: list[float]) -> Spread:
    """How many times longer `slow` took than `fast`, round by round.

    >>> ratio([20.0, 30.0, 40.0], [2.0, 3.0, 2.0])
    Spread(median=10.0, low=10.0, high=15.0)
    """
    return spread([s / f for s, f in zip(slow, fast, strict=True)])


def spreads(times: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """The spread of each contestant's times, as plain data.

    >>> spreads({"a": [1.0]})
    {'a': {'median': 1.0, 'low': 1.0, 'high': 1.0}}
    """
    return {name: spread(sample)._asdict() for name, sample in times.items()}


def ratios(times: Mapping[str, list[float]], ours: str) -> dict[str, dict[str, float]]:
    """How many times longer than `ours` each other contestant took, as plain data.

    >>> ratios({"a": [1.0], "b": [3.0]}, ours="a")
    {'b': {'median': 3.0, 'low': 3.0, 'high': 3.0}}
    """
    return {name: ratio(times[name], times[ours])._asdict() for name in times if name != ours}


def _time(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return time.perf_counter() - start
