"""The exercises of notebook 02: noisy signs, estimators of a gradient, flips."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise

DRIVES = np.array([-3.0, -1.0, -0.4, 0.0, 0.25, 1.0, 1.7])
SIGNS = np.array([1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0])


def _drives(rng: Generator) -> np.ndarray:
    return rng.uniform(-2, 2, size=4).round(2)


def _sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@exercise(
    idea="b is +1 where the noise is above -x. Which part of the interval from -1 to 1 is that, for x = 0.5?",
    step="P(+1) - P(-1), a straight line in x. And a mean of values -1 and +1 is never beyond them.",
    mistakes={
        "A mean of values -1 and +1 is never beyond them: where |x| > 1 the noise changes nothing.": lambda x: (
            x
        ),
        "This is P(+1). The mean is P(+1) - P(-1).": lambda x: np.clip((1 + x) / 2, 0, 1),
        "This is the sign without noise: draw a picture of where x + noise is above 0.": np.sign,
        "tanh belongs to logistic noise, which comes next. Uniform noise gives straight lines.": np.tanh,
        "The density is 1/2, since the noise is spread over an interval of length 2.": (
            lambda x: np.clip(2 * x, -1, 1)
        ),
        "At x = 1 no noise can turn the sign any more, so the mean is 1 there.": lambda x: np.clip(
            x / 2, -1, 1
        ),
    },
)
def ex_2_1(rng: Generator) -> Iterator[Case]:
    """The mean of sign(x + noise), noise uniform between -1 and +1."""
    inside = np.array([-1.0, -0.5, 0.0, 0.25, 1.0])
    for x in (inside, DRIVES, _drives(rng)):  # drawn, not derived, is right as well, if enough is drawn
        yield Case((x,), np.clip(x, -1, 1), tolerance=0.005)


@exercise(
    idea="The mean is P(+1) - P(-1) = 2 sigma(2x) - 1. Simplify it, or take the derivative as it stands.",
    step="The mean is tanh(x). And the slope of tanh can be written with tanh(x) itself.",
    mistakes={
        "The first is P(+1). The mean is P(+1) - P(-1).": (
            lambda x: (_sigma(2 * x), 2 * _sigma(2 * x) * (1 - _sigma(2 * x)))
        ),
        "The mean is right. The slope of tanh has a square: 1 - tanh(x)**2.": (
            lambda x: (np.tanh(x), 1 - np.tanh(x))
        ),
        "The mean is right. The slope is that of sigma(x); here 2x stands inside, and 2 in front.": (
            lambda x: (np.tanh(x), _sigma(x) * (1 - _sigma(x)))
        ),
        "The probability is sigma(2x), not sigma(x).": (
            lambda x: (2 * _sigma(x) - 1, 2 * _sigma(x) * (1 - _sigma(x)))
        ),
        "First the mean, then its slope.": lambda x: (1 - np.tanh(x) ** 2, np.tanh(x)),
        "The mean is right. The slope misses the inner derivative of 2x.": (
            lambda x: (np.tanh(x), (1 - np.tanh(x) ** 2) / 2)
        ),
    },
)
def ex_2_2(rng: Generator) -> Iterator[Case]:
    """Mean and slope of the mean of a unit that is +1 with probability sigma(2x)."""
    for drives in (DRIVES[4:6], DRIVES, _drives(rng)):
        mean = 2 / (1 + np.exp(-2 * drives)) - 1
        yield Case((drives,), (mean, 1 - mean**2))


@exercise(
    idea="A unit with mean m is +1 with which probability, and -1 with which? The units are independent.",
    step="One factor for each unit, (1 + m) / 2 or (1 - m) / 2; multiply along a row.",
    mistakes={
        "The units of an outcome stand in a row: multiply along axis 1.": (
            lambda codes, means: np.prod((1 + codes * means) / 2, axis=0)
        ),
        "Independent probabilities are multiplied, not added.": (
            lambda codes, means: ((1 + codes * means) / 2).sum(axis=-1)
        ),
        "Each factor has to be halved: the two outcomes of a unit add up to 1.": (
            lambda codes, means: np.prod(1 + codes * means, axis=-1)
        ),
        "The codes are the wrong way round: a mean near +1 makes the code +1 likely.": (
            lambda codes, means: np.prod((1 - codes * means) / 2, axis=-1)
        ),
        "A mean of -1 and +1 is no probability: with m = 0 the unit is +1 half of the time.": (
            lambda codes, means: np.where(codes > 0, means, 1 - means).prod(axis=-1)
        ),
        "These are the factors, one for each unit: multiply those of a row.": (
            lambda codes, means: (1 + codes * means) / 2
        ),
    },
)
def ex_2_3(rng: Generator) -> Iterator[Case]:
    """The probability of each row of codes, given the mean of each unit."""
    yield Case((np.array([[1, 1], [-1, 1]]), np.array([0.0, 1.0])), np.array([0.5, 0.5]))
    codes, means = rng.choice([-1, 1], size=(3, 3)), rng.uniform(-1, 1, size=3).round(2)
    yield Case((codes, means), np.where(codes > 0, (1 + means) / 2, (1 - means) / 2).prod(axis=1))


@exercise(
    idea="How much the loss was worse than the baseline, times the gradient of log P of what was drawn.",
    step="The derivative of log sigma(2ab) to a: work it out for b = 1 and for b = -1, and compare with tanh a.",
    mistakes={
        "Subtract the baseline from the loss first.": (
            lambda drives, codes, loss, baseline: loss * (codes - np.tanh(drives))
        ),
        "This is the gradient of log P. REINFORCE weighs it by the loss, less the baseline.": (
            lambda drives, codes, loss, baseline: codes - np.tanh(drives)
        ),
        "The sign is the wrong way round: this is a gradient of the loss, to go against.": (
            lambda drives, codes, loss, baseline: (baseline - loss) * (codes - np.tanh(drives))
        ),
        "1 - tanh**2 is the slope of the mean. That is straight-through, which comes next.": (
            lambda drives, codes, loss, baseline: (loss - baseline) * (1 - np.tanh(drives) ** 2)
        ),
        "The mean of b is tanh(a), since P is sigma(2ab): without the 2 it would be tanh(a / 2).": (
            lambda drives, codes, loss, baseline: (loss - baseline) * (codes - np.tanh(drives / 2))
        ),
        "What is subtracted is the mean of b, tanh(a), not a itself.": (
            lambda drives, codes, loss, baseline: (loss - baseline) * (codes - drives)
        ),
        "The code stands inside of the sigma, too: sigma(2ab).": (
            lambda drives, codes, loss, baseline: (loss - baseline) * 2 * codes * (1 - _sigma(2 * drives))
        ),
    },
)
def ex_2_4(rng: Generator) -> Iterator[Case]:
    """REINFORCE's guess of the gradient to the drives of stochastic units."""
    drawn, of_drawn = _drives(rng), rng.choice([-1.0, 1.0], size=4)
    for drives, codes, loss, baseline in (
        (DRIVES[3:5], SIGNS[3:5], 1.0, 0.0),
        (DRIVES, SIGNS, 0.25, 1.0),
        (drawn, of_drawn, round(rng.uniform(0, 2), 2), round(rng.uniform(0, 2), 2)),
    ):
        # the derivative of log sigma(2 a b) to a
        score = 2 * codes / (1 + np.exp(2 * drives * codes))
        yield Case((drives, codes, loss, baseline), (loss - baseline) * score)


@exercise(
    idea="Two means over b, with E b = tanh a: that of the guess, and the derivative of that of the loss.",
    step="Mean of the guess: 2 (tanh a - t)(1 - tanh(a)**2). Now the derivative of 1 - 2 t tanh a + t**2.",
    mistakes={
        "The bias is the guess minus the exact gradient; yours is the other way round.": (
            lambda a, t: -2 * np.tanh(a) * (1 - np.tanh(a) ** 2)
        ),
        "This is the mean of the guess. Subtract the exact gradient.": (
            lambda a, t: 2 * (np.tanh(a) - t) * (1 - np.tanh(a) ** 2)
        ),
        "This is the exact gradient. The bias is the mean of the guess minus it.": (
            lambda a, t: -2 * t * (1 - np.tanh(a) ** 2)
        ),
        "Guess and gradient both have the slope of tanh a, 1 - tanh(a)**2, as a factor.": (
            lambda a, t: 2 * np.tanh(a)
        ),
        "The slope of tanh a has a square: 1 - tanh(a)**2.": lambda a, t: 2 * np.tanh(a) * (1 - np.tanh(a)),
        "A factor of 2 is missing: the loss is a square.": lambda a, t: np.tanh(a) * (1 - np.tanh(a) ** 2),
        "b**2 is 1, so the loss is linear in b: the mean of b**2 has no slope.": lambda a, t: 0 * a,
    },
)
def ex_2_5(rng: Generator) -> Iterator[Case]:
    """Bias of the straight-through guess for one unit and the loss (b - t)^2."""
    some = _drives(rng), round(rng.normal(), 1)
    for drives, t in ((DRIVES, 0.0), (DRIVES, 0.8), (DRIVES, -2.0), some):
        m = np.tanh(drives)
        # E[2 (b - t)] (1 - m^2) over both outcomes, less d/da of the expected loss
        guess = sum((1 + b * m) / 2 * 2 * (b - t) for b in (-1, 1)) * (1 - m**2)
        exact = sum(b * (1 - m**2) / 2 * (b - t) ** 2 for b in (-1, 1))
        yield Case((drives, t), guess - exact)


@exercise(
    idea="Whole steps only. Is it enough to reach 0? That depends on the side from which it comes.",
    step="From w >= 0 it has to get below 0; from w < 0 reaching 0 is enough, for the sign of 0 is +1.",
    mistakes={
        "From the positive side, reaching 0 is not enough: the sign of 0 is still +1.": (
            lambda latent_weight, step: np.ceil(abs(latent_weight) / step)
        ),
        "From the negative side, reaching 0 is enough: the sign of 0 is +1, so it has flipped.": (
            lambda latent_weight, step: np.floor(abs(latent_weight) / step) + 1
        ),
        "Steps are whole: after a part of one nothing has happened.": (
            lambda latent_weight, step: abs(latent_weight) / step
        ),
        "The last step is the one that crosses: round up.": (
            lambda latent_weight, step: abs(latent_weight) // step
        ),
        "A negative weight takes positive steps, too: use its magnitude.": (
            lambda latent_weight, step: np.floor(latent_weight / step) + 1
        ),
        "Rounded to the nearest, some weights flip before they have crossed 0.": (
            lambda latent_weight, step: round(abs(latent_weight) / step)
        ),
        "The sides are the wrong way round: 0 belongs to the positive one.": (
            lambda latent_weight, step: (
                np.ceil(latent_weight / step) if latent_weight >= 0 else np.floor(-latent_weight / step) + 1
            )
        ),
    },
)
def ex_2_6(rng: Generator) -> Iterator[Case]:
    """Steps of a given size until the sign of a latent weight has changed."""
    step = 1 / int(2 ** rng.integers(1, 6))  # in halves of it all sums are exact
    for latent, step in (
        (0.3, 0.25), (0.2, 0.25), (-0.3, 0.25), (-2.0, 0.03125), (0.5, 0.25), (-0.5, 0.25),
        *((step * int(k) / 2, step) for k in rng.integers(-40, 40, size=3)),
    ):  # fmt: skip
        position, count = latent, 0
        while (position >= 0) == (latent >= 0):
            position, count = position - np.copysign(step, latent), count + 1
        yield Case((latent, step), count)
