"""The exercises of notebook 09: 64 products at a time, what a printed figure leaves out, a norm as one comparison."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


@exercise(
    idea="Count operations twice: without bits, where a number costs its products, and with them.",
    step="With bits: products / 64, and the floats, which nothing shortens. Divide the one by the other.",
    mistakes={
        "That is the limit without floats. They are not done 64 at a time.": lambda products, floats: (
            products / (products / 64 + floats / 64)
        ),
        "The floats are missing: they cost one operation each.": lambda products, floats: 64 + 0 * products,
        "The wrong way round: how many times fewer are they with bits?": lambda products, floats: (
            (products / 64 + floats) / products
        ),
        "That is a layer whose numbers have 64 products. With more of them the same floats weigh less.": (
            lambda products, floats: 64 / (1 + floats)
        ),
        "The network without bits has no scales: its number costs the products alone.": lambda products, floats: (
            (products + floats) / (products / 64 + floats)
        ),
    },
)
def ex_9_1(rng: Generator) -> Iterator[Case]:
    """How many times fewer operations a layer needs if 64 products are one, and some floats remain."""
    some = 64 * int(rng.integers(1, 100)), int(rng.integers(0, 6))
    for products, floats in ((64, 0), (64, 1), (2304, 1), (768, 2), (128, 4), some):
        with_bits = sum(1 for _ in range(0, products, 64)) + floats
        yield Case((products, floats), products / with_bits)


@exercise(
    idea="The remainder stays as it is, everything else is divided. Write the quoted figure as a sum of the two.",
    step="quoted = (whole - r) / ways + r. Solve it for r.",
    mistakes={
        "What is left float was in the whole, too: it is not divided, but the rest is less by it.": (
            lambda whole, quoted, ways: quoted - whole / ways
        ),
        "That is the factor that is printed, not what stays float.": lambda whole, quoted, ways: (
            whole / quoted
        ),
        "Solve it again: r times (1 - 1/ways) is quoted less whole / ways.": lambda whole, quoted, ways: (
            (quoted - whole / ways) * (1 - 1 / ways)
        ),
        "`ways` need not be 64.": lambda whole, quoted, ways: (quoted * 64 - whole) / 63,
        "That is the part that became bits. What did not?": lambda whole, quoted, ways: (
            whole - (quoted * ways - whole) / (ways - 1)
        ),
    },
)
def ex_9_2(rng: Generator) -> Iterator[Case]:
    """How much of a network's work stays float, if its quoted cost is right."""
    some = float(rng.integers(10, 100)), int(rng.integers(0, 900)) / 100, int(2 ** rng.integers(3, 9))
    for whole, remainder, ways in (
        (128.0, 0.0, 64), (128.0, 64.0, 64), (22.5, 0.0488, 64), (10.0, 1.0, 32), some
    ):  # fmt: skip
        yield Case((whole, (whole - remainder) / ways + remainder, ways), remainder)


@exercise(
    idea="Start from gamma * (scale * z - mean) / sd + beta >= 0 and bring z to one side. When does >= turn round?",
    step="scale * z - mean >= -beta * sd / gamma for a positive gamma; <= for a negative one.",
    mistakes={
        "The norm subtracts its mean: on the other side it is added.": lambda gamma, beta, mean, sd, scale: (
            (-mean - beta * sd / gamma) / scale,
            gamma > 0,
        ),
        "z is still multiplied by the scale: divide by it.": lambda gamma, beta, mean, sd, scale: (
            mean - beta * sd / gamma,
            gamma > 0,
        ),
        "A negative gamma turns >= into <=: the second value is False then.": (
            lambda gamma, beta, mean, sd, scale: ((mean - beta * sd / gamma) / scale, gamma == gamma)
        ),
        "beta goes to the other side, and changes its sign.": lambda gamma, beta, mean, sd, scale: (
            (mean + beta * sd / gamma) / scale,
            gamma > 0,
        ),
        "beta is divided by gamma and multiplied by sd, in this order or that; you have them exchanged.": (
            lambda gamma, beta, mean, sd, scale: ((mean - beta * gamma / sd) / scale, gamma > 0)
        ),
    },
)
def ex_9_3(rng: Generator) -> Iterator[Case]:
    """The threshold of a sum that has the sign behind a batch norm, and whether larger sums are the positive ones."""
    some = rng.uniform([0.5, -1, -4, 0.5, 0.5], [2, 1, 4, 2, 2]).round(2) * [rng.choice([-1, 1]), 1, 1, 1, 1]
    for gamma, beta, mean, sd, scale in (
        (1.0, 0.0, 6.0, 1.0, 1.0),
        (2.0, -1.0, 3.0, 4.0, 0.5),
        (-1.0, 2.0, 1.0, 3.0, 0.25),
        (-0.5, -0.25, -2.0, 1.5, 2.0),
        map(float, some),
    ):
        z = np.linspace(-50, 50, 100_001)
        positive = gamma * (scale * z - mean) / sd + beta >= 0
        turn = z[np.flatnonzero(np.diff(positive))[0]]
        yield Case((gamma, beta, mean, sd, scale), (turn, bool(positive[-1])), tolerance=2e-3)
