"""What a network consists of, before any rule says what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Bits of what is not binarized, at whatever width it is stored.
FLOAT = 32

Quantity = Literal["operations", "memory"]
#: Where a figure comes from. counted: of what the network does and holds, under the rule. fitted: chosen so that a
#: printed total comes out. assumed: by a rule that was not found in its source.
Provenance = Literal["counted", "fitted", "assumed"]


@dataclass(frozen=True)
class Part:
    """One layer, one product of attention, or a module with numbers of its own. Counts, no figures.

    Attributes:
        name: canonical ("layers.0.fc1", "layers.0.scores"), or the module's path.
        path: of the module.
        kind: the module's class; "product" in attention; "other products" for what no layer stands for.
        macs: multiply-accumulates of one input.
        weight_bits, activation_bits: of the two operands (32 is float, None where there is none); in attention
            of keys and queries, of values and probabilities.
        of_activations: both operands are activations.
        weights: numbers in the matrix of a linear, convolution or word embedding.
        rows: of that matrix, each an output channel or a word.
        floats: parameters beside it that the float network has too (biases, norms, positions).
        tied: the float network shares the weights with an earlier part; `weights` counts those that this network
            holds once more, and is 0 where it shares them too.
        added: numbers that binarization adds (scales, learned shifts).
        estimator: the floats are BiPFT's low-rank estimators, which the float network has not.
        normalized: numbers that a layer norm has of one input.
        stored: bytes in the packed file, buffers included. float_stored: the same for the float network.

    >>> part = Part("layers.0.fc1", "encoder.0.mlp.0", "BinaryLinear", 4096, weight_bits=1, activation_bits=32)
    >>> part.binary
    True
    """

    name: str
    path: str
    kind: str
    macs: int = 0
    weight_bits: int | None = None
    activation_bits: int | None = None
    of_activations: bool = False
    weights: int = 0
    rows: int = 0
    floats: int = 0
    tied: bool = False
    added: int = 0
    estimator: bool = False
    normalized: int = 0
    stored: int = 0
    float_stored: int = 0

    @property
    def binary(self) -> bool:
        """Whether an operand has fewer bits than a float."""
        return min(self.weight_bits or FLOAT, self.activation_bits or FLOAT) < FLOAT
