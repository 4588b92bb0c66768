"""The exercises of notebook 02: noisy signs, estimators of a gradient, flips."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise

DRIVES = np.array([-3.0, -1.0, -0.4, 0.0, 0.25, 1.0, 1.7])


@exercise(
    "b is +1 where the noise is above -x. For x = 0.5 that is three quarters of the interval from -1 to 1."
)
def ex_2_1() -> Iterator[Case]:
    """The mean of sign(x + noise), noise uniform between -1 and +1."""
    inside = np.array([-1.0, -0.5, 0.0, 0.25, 1.0])
    yield Case((inside,), inside)
    yield Case((DRIVES,), np.clip(DRIVES, -1, 1), hint="a mean of values -1 and +1 is never beyond them")


@exercise("The mean is 2 * sigma(2x) - 1, which is tanh(x); its slope is 1 - tanh(x)**2.")
def ex_2_2() -> Iterator[Case]:
    """Mean and slope of the mean of a unit that is +1 with probability sigma(2x)."""
    mean = 2 / (1 + np.exp(-2 * DRIVES)) - 1
    yield Case((DRIVES,), (mean, 1 - mean**2))


@exercise("One factor for each unit: (1 + mean) / 2 where its code is +1, (1 - mean) / 2 where it is -1.")
def ex_2_3() -> Iterator[Case]:
    """The probability of each row of codes, given the mean of each unit."""
    yield Case((np.array([[1, 1], [-1, 1]]), np.array([0.0, 1.0])), np.array([0.5, 0.5]))
    rng = np.random.default_rng(0)
    codes, means = rng.choice([-1, 1], size=(5, 3)), rng.uniform(-1, 1, size=3)
    wanted = np.where(codes > 0, (1 + means) / 2, (1 - means) / 2).prod(axis=1)
    yield Case((codes, means), wanted, hint="the units are independent: multiply along axis 1")


@exercise("Multiply (loss - baseline) with the gradient of log P, which is codes - tanh(drives).")
def ex_2_4() -> Iterator[Case]:
    """REINFORCE's guess of the gradient to the drives of stochastic units."""
    codes = np.array([1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    # the derivative of log sigma(2 a b) to a
    score = 2 * codes / (1 + np.exp(2 * DRIVES * codes))
    yield Case((DRIVES, codes, 1.0, 0.0), score)
    yield Case((DRIVES, codes, 0.3, 1.1), -0.8 * score, hint="subtract the baseline from the loss first")


@exercise("Mean of the guess: 2 (tanh a - t)(1 - tanh(a)**2). Exact gradient: -2 t (1 - tanh(a)**2).")
def ex_2_5() -> Iterator[Case]:
    """Bias of the straight-through guess for one unit and the loss (b - t)^2."""
    m = np.tanh(DRIVES)
    for t in (0.0, 0.8, -2.0):
        # E[2 (b - t)] (1 - m^2) over both outcomes, less d/da of the expected loss
        guess = sum((1 + b * m) / 2 * 2 * (b - t) for b in (-1, 1)) * (1 - m**2)
        exact = sum(b * (1 - m**2) / 2 * (b - t) ** 2 for b in (-1, 1))
        yield Case((DRIVES, t), guess - exact)


@exercise("From w >= 0 it has to get below 0; from w < 0 it is enough to reach 0. Whole steps only.")
def ex_2_6() -> Iterator[Case]:
    """Steps of a given size until the sign of a latent weight has changed."""
    for latent, step in ((0.3, 0.25), (0.1, 0.25), (-0.3, 0.25), (-2.0, 0.03125)):
        position, count = latent, 0
        while (position >= 0) == (latent >= 0):
            position, count = position - np.copysign(step, latent), count + 1
        yield Case((latent, step), count)
    yield Case((0.5, 0.25), 3, hint="after two steps it stands at 0, whose sign is still +1")
    yield Case((-0.5, 0.25), 2, hint="after two steps it stands at 0, whose sign is +1: it has flipped")
