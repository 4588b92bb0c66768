"""A float model and its packed 1-bit one on one input: who is faster here, by how much, and why.

The two take turns with a loop on registers alone, which takes the same time unless something else runs on the
machine. What is measured belongs to this machine and this minute: it is meant to be measured again, not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import prod

import torch
from torch import Tensor, nn

from binviz.bench.roofline import float_loop, steady
from binviz.bench.timing import Spread, interleave, ratio, spread
from binviz.packed.fused import why_not_fused
from binviz.packed.layers import PackedEmbedding, PackedLayer
from binviz.words import times

#: A ratio nearer to one than this is "as fast".
EQUAL = 1.05
UNSTEADY = "Not steady: something else ran on this machine meanwhile, so no time is claimed. Measure again."


@dataclass(frozen=True)
class Timed:
    """What was measured.

    floats, bits: seconds of one call. ratio: of the float model's time to the 1-bit one's, turn by turn. steady:
    whether the machine did nothing else; if not, nothing is to be claimed. why: facts that explain the ratio.
    threads: of torch. at: when, local time to the second.

    >>> spread = Spread(0.02, 0.02, 0.02)
    >>> print(Timed(spread, spread, Spread(0.4, 0.39, 0.41), True, "layers of 64 inputs", 1, "").in_words())
    2.5 times slower here, because: layers of 64 inputs.
    """

    floats: Spread
    bits: Spread
    ratio: Spread
    steady: bool
    why: str
    threads: int
    at: str

    def in_words(self) -> str:
        """The ratio as a sentence about the 1-bit model, with the reason; no claim where it was not steady."""
        if not self.steady:
            return UNSTEADY
        faster = self.ratio.median
        if max(faster, 1 / faster) < EQUAL:
            return f"As fast here as the float model: {self.why}."
        if faster > 1:
            return f"{times(faster)} times faster here: {self.why}."
        return f"{times(1 / faster)} times slower here, because: {self.why}."

    def short(self) -> str:
        """The same in a few words, for the end of a sentence.

        >>> spread = Spread(0.02, 0.02, 0.02)
        >>> Timed(spread, spread, Spread(6.5, 6.4, 6.6), True, "", 1, "").short()
        '6.5 times faster here'
        """
        if not self.steady:
            return "time not steady"
        faster = self.ratio.median
        if max(faster, 1 / faster) < EQUAL:
            return "as fast here"
        return f"{times(max(faster, 1 / faster))} times {'faster' if faster > 1 else 'slower'} here"


@torch.inference_mode()
def measure(floats: nn.Module, bits: nn.Module, inputs: Mapping[str, Tensor], rounds: int = 11) -> Timed:
    """Run both on one input in turns, on as many threads as torch and the kernels have now.

    Args:
        floats: the float model.
        bits: the 1-bit one, packed.
        inputs: of both forward calls.
        rounds: how often each is timed.
    """
    samples = interleave(
        {"floats": lambda: floats(**inputs), "bits": lambda: bits(**inputs), "loop": float_loop()}, rounds
    )
    return Timed(
        spread(samples["floats"]),
        spread(samples["bits"]),
        ratio(samples["floats"], samples["bits"]),
        steady([spread(samples["loop"])]),
        reason(bits),
        torch.get_num_threads(),
        datetime.now().isoformat(" ", "seconds"),
    )


def reason(packed: nn.Module) -> str:
    """What a packed model's speed follows from: whether its layers are fused, and how wide they are.

    Args:
        packed: of `binviz.pack`.

    >>> import binviz
    >>> model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(3))).eval()
    >>> _ = binviz.binarize_(model, "xnor")
    >>> reason(binviz.pack(model))
    'not fused (it has no transformer layers), layers of 64 inputs'
    """
    lacking = why_not_fused(packed)
    fused = f"not fused ({lacking})" if lacking else "all layers in one call of the kernels"
    widths = {
        prod(module.shape[1:])
        for module in packed.modules()
        if isinstance(module, PackedLayer) and not isinstance(module, PackedEmbedding)
    }
    if not widths:
        return fused
    wide = f"{min(widths):,}" + (f" to {max(widths):,}" if len(widths) > 1 else "")
    return f"{fused}, layers of {wide} inputs"
