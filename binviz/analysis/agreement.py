"""How far two ways of running a model agree: code by code, prediction by prediction, logit by logit.

A packed model computes the codes' products exactly, but what lies between them (norms, softmax, GELU) is rounded
in some order, and a code flips where a number falls on the other side of its threshold. The same happens to one
and the same float model when its batch or its number of threads changes. So a packed model's figures are read
beside those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from binviz.adapters.layout import has
from binviz.analysis.capture import arguments, run
from binviz.analysis.sites import layout_for_reading, sites

#: Examples -> a batch: the arguments of the model.
Collate = Callable[[Sequence[Any]], Mapping[str, Tensor]]


class Way(NamedTuple):
    """A model, how many examples it sees at once, on how many of torch's threads it runs, and whether its codes are
    listened to: a packed model whose layers are fused runs them one by one while somebody listens.
    """

    model: nn.Module
    batch_size: int = 32
    threads: int = 1
    listen: bool = True


class _Seen(NamedTuple):
    """Logits (examples, labels), and the codes of every site, example after example in one row."""

    logits: np.ndarray
    codes: dict[str, np.ndarray]


@dataclass(frozen=True)
class Agreement:
    """What was compared and what differs.

    examples: how many. codes: site -> (codes that differ, codes compared), padding left out.
    disagreements: examples whose largest logits stand at different labels (of a text in which each place has logits, at
    any place), or of which one is no number. gap: largest
    difference of a logit; nan if there was such a one.

    >>> found = Agreement(8, {"fc1": (1, 80), "fc2": (2, 40)}, 0, 0.5)
    >>> found.flips, found.compared, (found + found).examples
    (3, 120, 16)
    """

    examples: int
    codes: dict[str, tuple[int, int]]
    disagreements: int
    gap: float

    def __add__(self, more: Agreement) -> Agreement:
        """Of these examples and more."""
        return Agreement(
            self.examples + more.examples,
            {
                name: (self.codes.get(name, (0, 0))[0] + flips, self.codes.get(name, (0, 0))[1] + compared)
                for name, (flips, compared) in more.codes.items()
            },
            self.disagreements + more.disagreements,
            float(np.maximum(self.gap, more.gap)),  # a nan stays
        )

    @property
    def flips(self) -> int:
        """Codes that differ, at all sites."""
        return sum(flips for flips, _ in self.codes.values())

    @property
    def compared(self) -> int:
        """Codes compared, at all sites."""
        return sum(compared for _, compared in self.codes.values())


def agreement(
    one: Way, others: Mapping[str, Way], examples: Sequence[Any], collate: Collate
) -> dict[str, Agreement]:
    """Run the same examples in several ways, and compare each with the first.

    Args:
        one: what the others are compared with.
        others: name -> way. Their models have the modules of the first one, or show no codes and only answers count.
        examples: at least one.
        collate: several examples -> one batch, padded where their lengths differ.

    >>> import binviz
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)).eval()
    >>> _ = binviz.binarize_(network, "xnor")
    >>> batch = lambda rows: {"input": torch.stack(rows)}
    >>> ways = {"packed": Way(binviz.pack(network))}
    >>> found = agreement(Way(network), ways, list(torch.randn(50, 4)), batch)["packed"]
    >>> found.examples, found.flips, found.compared, found.disagreements, found.gap
    (50, 0, 400, 0, 0.0)
    """
    found = dict.fromkeys(others, Agreement(0, {}, 0, 0.0))
    step = max(way.batch_size for way in (one, *others.values()))
    for start in range(0, len(examples), step):
        part = examples[start : start + step]
        reference = _observe(one, one.model, part, collate)
        for name, way in others.items():
            found[name] += _compare(reference, _observe(way, one.model, part, collate))
    return found


def _compare(one: _Seen, other: _Seen) -> Agreement:
    nothing = np.isnan(one.logits).any(-1) | np.isnan(other.logits).any(-1)
    otherwise = nothing | (one.logits.argmax(-1) != other.logits.argmax(-1))
    return Agreement(
        examples=len(one.logits),
        codes={
            name: (int((one.codes[name] != other.codes[name]).sum()), one.codes[name].size)
            for name in one.codes
            if name in other.codes
        },
        disagreements=int(otherwise.reshape(len(otherwise), -1).any(-1).sum()),
        gap=float(np.abs(one.logits - other.logits).max()),
    )


def _observe(way: Way, reference: nn.Module, examples: Sequence[Any], collate: Collate) -> _Seen:
    layout = layout_for_reading(reference)
    chosen = {
        name: site
        for name, site in sites(reference, layout).items()
        if way.listen and name.endswith(".code") and has(way.model, site.module)
    }
    batches = [
        collate(examples[start : start + way.batch_size]) for start in range(0, len(examples), way.batch_size)
    ]
    logits, codes = [], []
    threads = torch.get_num_threads()
    torch.set_num_threads(way.threads)
    try:
        for batch in batches:
            seen: dict[str, np.ndarray] = {}

            def receive(name: str, value: Tensor, counted: Tensor | None, seen: Any = seen) -> None:
                kept = value.reshape(-1) if counted is None else value[counted.expand(value.shape)]
                seen[name] = kept.to(torch.int16).numpy()

            with torch.no_grad():
                if chosen:
                    output, _ = run(way.model, layout, chosen, batch, receive)
                else:
                    _, named = arguments(batch, way.model)
                    output = way.model(**named)
            logits.append(getattr(output, "logits", output).float().numpy())
            codes.append(seen)
    finally:
        torch.set_num_threads(threads)
    every = {name: np.concatenate([seen[name] for seen in codes]) for name in codes[0]}
    return _Seen(np.concatenate(logits), every)


def report(
    model: nn.Module, packed: nn.Module, examples: Sequence[Any], collate: Collate
) -> dict[str, Agreement]:
    """A packed model's agreement with the model, and beside it the model's own with itself.

    Returns:
        "packed" (answers alone), "packed, layer by layer", "batch 1 against 32", "one thread against two".
    """
    others = {
        "packed": Way(packed, listen=False),
        "packed, layer by layer": Way(packed),
        "batch 1 against 32": Way(model, batch_size=1),
        "one thread against two": Way(model, threads=2),
    }
    return agreement(Way(model), others, examples, collate)


__all__ = ["Agreement", "Way", "agreement", "report"]
