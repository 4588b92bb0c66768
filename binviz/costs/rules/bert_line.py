"""The rules behind the figures of binary BERTs: 22.5 and 0.4 GFLOPs, 418 and 13.4 "MB", 56x, 31.2x and 28x."""

from __future__ import annotations

from collections.abc import Iterable

from binviz.costs.parts import FLOAT, Part
from binviz.costs.rules.rule import Rule, product_bits, register

#: What a binary BERT-base keeps as float FLOPs, over the float one's 22.5 G: (22.5 - r) / 64 + r = 0.4 gives
#: r = 0.0488 for one bit, and the same r gives the papers' 0.8 and 1.5 G for two and four bits of activation.
REMAINDER = 0.0488 / 22.5


@register
class BertLine(Rule):
    """BERT-base's figures from TinyBERT to BiT: two FLOPs a MAC, divided by 64 / (weight bits * activation bits).

    A MAC is two FLOPs, at 128 tokens. A product of w-bit weights and a-bit activations costs w * a / 64 of that; a
    product of two a-bit activations is counted like one with 1-bit weights, as the papers' 0.8 and 1.5 GFLOPs for
    2- and 4-bit activations need. To the binary products a remainder of 0.217 % of their float FLOPs is added for
    softmax, norms and the like: no source says what it is made of, it is fitted to 0.4 GFLOPs. The float figure is
    that of the matrix products, 22.35 GFLOPs for BERT-base, where the papers print 22.5.

    Memory (the 31.2x): the bits of binary matrices and of the word embedding, and one 4-byte scale for each of
    their rows. Matrices that stay float have 4 bytes a number. Position and type embeddings, biases and norms are
    left out; the float model's are counted. In MiB, though the papers print MB.
    """

    name = "bert-line"
    unit = "FLOPs"
    memory_unit = "MiB"
    source = (
        "TinyBERT (1909.10351), BiBERT (2203.06390), BiT (2205.13016); derived from their printed figures, "
        "13.43 for the printed 13.4"
    )
    remainder_from = "fitted"

    def share(self, part: Part) -> float:
        """Product of the bits over 64; 1 for two floats.

        >>> scores = Part("scores", "", "product", weight_bits=2, activation_bits=2, of_activations=True)
        >>> BertLine().share(Part("fc", "fc", "Linear", weight_bits=1, activation_bits=2)), BertLine().share(scores)
        (0.03125, 0.03125)
        """
        if not part.binary:
            return 1.0
        weight, activation = product_bits(part)
        return (max(weight, activation) if part.of_activations else weight * activation) / 64

    def operations(self, part: Part) -> float:
        """FLOPs, two a MAC."""
        return 2 * super().operations(part)

    def float_operations(self, part: Part) -> float:
        """FLOPs, two a MAC."""
        return 2 * super().float_operations(part)

    def remainder(self, parts: Iterable[Part]) -> float:
        """0.217 % of the float FLOPs of what is binary."""
        return REMAINDER * sum(self.float_operations(part) for part in parts if part.binary)

    def bytes(self, part: Part) -> float:
        """Bits and a scale for each row of binary matrices, float matrices; nothing else.

        >>> BertLine().bytes(Part("fc", "fc", "BinaryLinear", weight_bits=1, weights=64 * 8, rows=8, floats=8))
        96.0
        """
        binary = (part.weight_bits or FLOAT) < FLOAT
        scales = 4 * part.rows if binary else 0
        return part.weights * (part.weight_bits or FLOAT) / 8 + scales


@register
class BiPFT(BertLine):
    """As bert-line, with the memory that gives BiPFT's 28x: bits, and every float tensor of the architecture.

    FLOPs as under bert-line; BiPFT's low-rank estimators are counted as float MACs. Memory: one bit a binary
    weight and 4 bytes for every parameter that the float model has beside them (positions, biases, norms) and for
    the estimators. Scales and learned shifts, which binarization adds, are not counted. In MiB.
    """

    name = "bipft"
    source = "BiPFT (2312.08937), whose 28x it gives: 27.9 without and 27.6 with the estimators; derived"

    def bytes(self, part: Part) -> float:
        """Bits of binary matrices, all other parameters but those that binarization adds.

        >>> BiPFT().bytes(Part("fc", "fc", "BinaryLinear", weight_bits=1, weights=64 * 8, rows=8, floats=10))
        104.0
        """
        return part.weights * (part.weight_bits or FLOAT) / 8 + 4 * part.floats
