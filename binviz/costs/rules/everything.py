"""Nothing left out: what binviz itself runs and stores."""

from __future__ import annotations

from binviz.costs.parts import FLOAT, Part
from binviz.costs.rules.rule import Rule, product_bits, register


@register
class Everything(Rule):
    """Bytes of every tensor of the packed file; operations with 64 products of bits as one, which is no speed-up.

    Memory is counted, not estimated: words of 64 bits for each row of weights (its last word padded), 4 bytes for
    each scale, every other parameter and buffer at its own size. It equals
    `binviz.saving.packed.packed_bytes(model)`, and the float figure is that of the float model's file. A tensor used
    at two places is stored twice. In MiB.

    Operations: a word of 64 one-bit products is counted as one, as under every other rule, though XNOR, popcount and
    addition are two or three instructions, and processors do not multiply floats one by one either: the ratio is a
    count, not a time (`binviz bench` measures times). Codes of w and a bits need w * a words, in attention as well; a
    product with a float operand is a float MAC, since a 1-bit operand alone saves no multiplication on processors that
    fuse it with the addition.
    """

    name = "everything"
    memory_unit = "MiB"
    source = "binviz: the sum of the tensors that save_packed writes"

    def share(self, part: Part) -> float:
        """Product of the bits over 64 for two codes, else 1.

        >>> mixed = Part("fc", "fc", "BinaryLinear", weight_bits=1, activation_bits=32)
        >>> Everything().share(Part("fc", "fc", "Linear", weight_bits=1, activation_bits=2)), Everything().share(mixed)
        (0.03125, 1.0)
        """
        weight, activation = product_bits(part)
        return weight * activation / 64 if max(weight, activation) < FLOAT else 1.0

    def bytes(self, part: Part) -> float:
        """As stored in the packed file."""
        return part.stored

    def float_bytes(self, part: Part) -> float:
        """As stored in the float model's file."""
        return part.float_stored
