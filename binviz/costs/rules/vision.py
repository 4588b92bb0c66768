"""The rules of papers on binary vision models, in MACs: BiViT, ReActNet, BiBench, BinaryDM."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from binviz.costs.parts import FLOAT, Part
from binviz.costs.rules.rule import Rule, product_bits, register
from binviz.errors import UserError

if TYPE_CHECKING:
    from binviz.costs.report import Costs


def _one_bit(part: Part) -> bool:
    return product_bits(part) == (1, 1)


@register
class BiViT(Rule):
    """BiViT: a MAC is one operation, 1/64 with two 1-bit operands, 1/2 with one (additions only).

    Patch embedding, down-sampling and head stay float and are counted. Several bits cost their product over 64,
    which the paper does not need. A layer norm costs 5 operations a number, as tools that count FLOPs have it: the
    paper does not say so, but with them nine of its ten figures for DeiT and Swin come out to the last digit that it
    prints (fully binary Swin-S is 0.350 for the printed 0.34), without them five.

    Memory: one bit a binary weight, 4 bytes for every parameter of the layers that stay float; scales and biases
    of binary layers and Swin's relative position biases are not counted. In MB of 10^6 bytes: DeiT-B 16.82 for the
    printed 16.8, Swin-T 12.62 for 12.6, Swin-S 15.35 for 15.4.
    """

    name = "bivit"
    source = "BiViT (2211.07091), tables 3 and 4; derived from their figures"
    of_norm = 5

    def operations(self, part: Part) -> float:
        """Of products, and of layer norms.

        >>> BiViT().operations(Part("norm", "norm", "LayerNorm", normalized=768))
        3840.0
        """
        return super().operations(part) + self.of_norm * part.normalized

    def float_operations(self, part: Part) -> float:
        """The same of the float network."""
        return super().float_operations(part) + self.of_norm * part.normalized

    def share(self, part: Part) -> float:
        """1/64 for 1 x 1 bit, 1/2 for a float operand, w * a / 64 for several bits; 1 for two floats.

        >>> bits = [(1, 1), (1, 32), (2, 4), (32, 32)]
        >>> [64 * BiViT().share(Part("fc", "fc", "Linear", weight_bits=w, activation_bits=a)) for w, a in bits]
        [1.0, 32.0, 8.0, 64.0]
        """
        weight, activation = product_bits(part)
        return min(weight * activation / 64, 1.0)

    def bytes(self, part: Part) -> float:
        """Bits of binary layers, all parameters of the others."""
        binary = (part.weight_bits or FLOAT) < FLOAT or part.kind.endswith("RelativePositionBias")
        floats = 0 if binary else part.floats
        return part.weights * (part.weight_bits or FLOAT) / 8 + 4 * floats


@register
class ReActNet(Rule):
    """Bi-Real Net and ReActNet: OPs = BOPs / 64 + FLOPs, where a MAC is one of either.

    A product of two 1-bit operands is a BOP. Every other product is float work: a float operand, or codes of
    several bits, gain nothing.

    Memory: one bit a binary weight, 4 bytes for every other parameter, scales and shifts included (Bi-Real's
    count, from memory). In MB of 10^6 bytes.
    """

    name = "reactnet"
    source = "Bi-Real Net (1808.00278), ReActNet (2003.03488); the memory rule is from memory, not found"
    unconfirmed = ("memory",)

    def share(self, part: Part) -> float:
        """1/64 for 1 x 1 bit, else 1.

        >>> bits = [(1, 1), (1, 32), (2, 4)]
        >>> [64 * ReActNet().share(Part("fc", "fc", "Linear", weight_bits=w, activation_bits=a)) for w, a in bits]
        [1.0, 64.0, 64.0]
        """
        return 1 / 64 if _one_bit(part) else 1.0


@register
class BiBench(Rule):
    """BiBench: the two ratios r_s of operations and r_c of parameters in its OM_comp; see `om_comp`.

    r_s = F / ((F - F_float) / 64 + F_float) with F the float network's operations and F_float those of layers that
    stay float; r_c = M / ((M - M_float) / 32 + M_float) with parameters. So a MAC of two 1-bit operands costs 1/64,
    a 1-bit weight 1/32 of a float, and nothing that binarization adds is counted. In MB of 10^6 bytes.
    """

    name = "bibench"
    source = "BiBench (2301.11233), section on theoretical complexity; from memory, not found"
    unconfirmed = ("operations", "memory")

    def share(self, part: Part) -> float:
        """1/64 for 1 x 1 bit, else 1."""
        return 1 / 64 if _one_bit(part) else 1.0

    def bytes(self, part: Part) -> float:
        """Bits of weights, and the other parameters of the float network.

        >>> BiBench().bytes(Part("fc", "fc", "Linear", weight_bits=1, weights=80, floats=2, added=8))
        18.0
        """
        return part.weights * (part.weight_bits or FLOAT) / 8 + 4 * part.floats


@register
class BinaryDM(Rule):
    """BinaryDM: operations are proportional to the product of the bits, w * a / 64 of a MAC.

    For its diffusion network (LDM-4) that is 1.5 G a bit product and 0.3 G that stays float: 6.3, 12.3 and 24.3 G
    at W1A4, W2A4 and W4A4, and 96 G for the float network. `binviz.networks.UNet` in LDM-4's sizes has 95.97 G in the
    layers that become binary, 16.0 times the 6.0 G of W1A4 as the paper prints. So the products of attention, another
    5.2 G, are not counted; of what stays float that is 0.05 G, and where 0.3 G come from is not known.

    Memory: the bits of the weights, 4 bytes for every other parameter, scales too. In MB of 10^6 bytes; the paper's own
    are 2^20: 1045.4 for the float network, as printed. With one set of signs 37.5 for the printed 37.3, with two in the
    outer half 42.5 for 42.1. The 27.1x of its abstract is not that of its table; with two sets in the outermost level
    alone it would be 27.2x.
    """

    name = "binarydm"
    source = "BinaryDM (2404.05662), figure of OPs; derived. The memory rule is not the paper's"
    unconfirmed = ("memory",)

    def operations(self, part: Part) -> float:
        """Of layers."""
        return 0.0 if part.kind == "other products" else super().operations(part)

    def float_operations(self, part: Part) -> float:
        """The same of the float network."""
        return 0.0 if part.kind == "other products" else super().float_operations(part)

    def share(self, part: Part) -> float:
        """Product of the bits over 64; 1 for two floats.

        >>> bits = [(1, 1), (1, 4), (32, 32)]
        >>> [64 * BinaryDM().share(Part("fc", "fc", "Conv", weight_bits=w, activation_bits=a)) for w, a in bits]
        [1.0, 4.0, 64.0]
        """
        weight, activation = product_bits(part)
        return weight * activation / 64 if part.binary else 1.0


def om_comp(results: Sequence[Costs]) -> float:
    r"""BiBench's metric of theoretical complexity, $\sqrt{\tfrac12 (E^2[r_c] + E^2[r_s])}$.

    The formula is from memory, not found. r_c and r_s are the ratios of parameters and of operations of float to
    binary network, E the mean over settings.

    Args:
        results: one of `costs.of` for each setting, under any rule; they are counted under "bibench".

    Raises:
        UserError: no results.

    >>> from binviz import costs
    >>> import torch
    >>> network = torch.nn.Sequential(*(torch.nn.Linear(64, 64, bias=False) for _ in range(3)))
    >>> round(om_comp([costs.of(network, "bnn", shape=(64,))]), 4)
    1.4827
    """
    if not results:
        raise UserError("om_comp needs at least one result of costs.of")
    counted = [result.under("bibench") for result in results]
    parameters = sum(result.memory_ratio for result in counted) / len(counted)
    operations = sum(result.operations_ratio for result in counted) / len(counted)
    return sqrt((parameters**2 + operations**2) / 2)
