"""The exercises of notebook 06: thresholds that follow a row, the scale that must follow, gradients of both."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.random import Generator

from binviz.check.exercise import Case, exercise

ROW = np.array([0.5, 0.2, 0.12, 0.1, 0.05, 0.03])


@exercise(
    idea="Which single number is nearest to several numbers? And where is the middle between 0 and that number?",
    step="v is the mean of the values that have a one; a value is nearer to v than to 0 from v / 2 on.",
    mistakes={
        "v describes only the values that have a one: take the mean of those.": (
            lambda row, ones: (row.mean(), row >= row.mean() / 2)
        ),
        "v is right. A value takes what is nearer, 0 or v: the threshold is their middle.": (
            lambda row, ones: (row[ones].mean(), row >= row[ones].mean())
        ),
        "A value at the threshold v / 2 is as near to v as to 0; the text makes it a one.": (
            lambda row, ones: (row[ones].mean(), row > row[ones].mean() / 2)
        ),
        "The nearest single number is a mean, not a sum.": (
            lambda row, ones: (row[ones].sum(), row >= row[ones].sum() / 2)
        ),
        "The median makes absolute errors small. For squares it is the mean.": (
            lambda row, ones: (np.median(row[ones]), row >= np.median(row[ones]) / 2)
        ),
        "v is right. The new code compares all values, also those that have no one today.": (
            lambda row, ones: (row[ones].mean(), ones & (row >= row[ones].mean() / 2))
        ),
        "v divides by the number of ones, not by the length of the row.": (
            lambda row, ones: ((row * ones).mean(), row >= (row * ones).mean() / 2)
        ),
    },
)
def ex_6_1(rng: Generator) -> Iterator[Case]:
    """One step of coordinate descent: the best factor for the code, then the best code for that factor."""
    for row, ones in (
        (ROW, np.ones(6, bool)),
        (ROW, np.array([1, 1, 1, 0, 0, 0], bool)),
        (np.array([0.1, 0.3, 0.05, 0.15, 0.4]), np.array([1, 0, 1, 0, 1], bool)),
        # a sum of three odd thousandths and six times an odd one: no value is half of v
        ((2 * rng.integers(0, 300, size=5) + 1) / 1000, rng.permutation([True, True, True, False, False])),
    ):
        (v,), *_ = np.linalg.lstsq(ones.reshape(-1, 1).astype(float), row, rcond=None)
        yield Case((row, ones), (v, np.abs(row - v) <= np.abs(row)))
    yield Case(
        (np.array([0.5, 0.25, 0.25]), np.array([True, False, False])), (0.5, np.array([True, True, True]))
    )


@exercise(
    idea="The threshold is a part of the largest value. Of which values is that the largest?",
    step="max over the last axis, kept with keepdims=True; compare with >=.",
    mistakes={
        "beta is a part of the row's maximum, not a threshold by itself.": (
            lambda rows, beta: (rows >= beta) * 1
        ),
        "Each row has its own maximum: axis=-1.": lambda rows, beta: (rows >= beta * rows.max()) * 1,
        "Exactly beta times the maximum is a 1: use >=.": (
            lambda rows, beta: (rows > beta * rows.max(axis=-1, keepdims=True)) * 1
        ),
        "beta is the function's second argument: use it in place of 1/4.": (
            lambda rows, beta: (rows >= rows.max(axis=-1, keepdims=True) / 4) * 1
        ),
        "The maximum lost its axis, so rows meet columns: keepdims=True.": (
            lambda rows, beta: (rows >= beta * rows.max(axis=-1)) * 1
        ),
        "A row is the last axis; axis 0 runs over the rows.": (
            lambda rows, beta: (rows >= beta * rows.max(axis=0)) * 1
        ),
        "It is a part of the row's maximum, not of its mean.": (
            lambda rows, beta: (rows >= beta * rows.mean(axis=-1, keepdims=True)) * 1
        ),
    },
)
def ex_6_2(rng: Generator) -> Iterator[Case]:
    """Codes of a threshold at a part of each row's maximum."""
    yield Case((ROW, 0.25), np.array([1, 1, 0, 0, 0, 0]))
    rows = np.array([[0.8, 0.1, 0.1], [0.5, 0.15, 0.35]])
    yield Case((rows, 0.25), np.array([[1, 0, 0], [1, 1, 1]]))
    yield Case((np.array([[0.5, 0.25, 0.125, 0.125]]), 0.25), np.array([[1, 1, 1, 1]]))
    heads = np.array([[[0.6, 0.3, 0.1], [0.2, 0.45, 0.35]], [[0.05, 0.05, 0.9], [0.4, 0.35, 0.25]]])
    for beta in (0.2, 0.7):
        codes = [[[value >= beta * max(row) for value in row] for row in head] for head in heads]
        yield Case((heads, beta), np.array(codes))
    rows, beta = rng.integers(1, 17, size=(2, 4)) / 32, int(rng.integers(1, 8)) / 8  # products are exact
    yield Case((rows, beta), np.array([[value >= beta * max(row) for value in row] for row in rows.tolist()]))


@exercise(
    idea="What does a row of codes add up to, before and after?",
    step="Divide by the sum of each row, its axis kept; and by 1 where that sum is 0.",
    mistakes={
        "Divide by the number of ones of the row, not by its length.": lambda codes: codes / codes.shape[-1],
        "Each row has its own number of ones: sum over the last axis.": lambda codes: codes / codes.sum(),
        "+1 keeps the division from failing, but makes every row too small.": (
            lambda codes: codes / (codes.sum(axis=-1, keepdims=True) + 1)
        ),
        "A row without a one is 0 / 0: divide by 1 there, so that it stays zero.": (
            lambda codes: codes / codes.sum(axis=-1, keepdims=True)
        ),
        "The last axis is the row, whatever stands before it: axis=-1, not axis=1.": (
            lambda codes: codes / np.maximum(codes.sum(axis=1, keepdims=True), 1)
        ),
        "The sum lost its axis, so rows meet columns: keepdims=True.": (
            lambda codes: codes / np.maximum(codes.sum(axis=-1), 1)
        ),
        "A root makes the squares of a row add up to 1. Its values have to.": (
            lambda codes: codes / np.sqrt(np.maximum(codes.sum(axis=-1, keepdims=True), 1))
        ),
    },
)
def ex_6_3(rng: Generator) -> Iterator[Case]:
    """Codes of attention, each row divided by its number of ones."""
    yield Case((np.array([[0, 0], [1, 1]]),), np.array([[0, 0], [0.5, 0.5]]))
    yield Case(
        (np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]]),), np.array([[6, 0, 0], [3, 3, 0], [2, 2, 2]]) / 6
    )
    heads = np.array([[[1, 1, 0], [0, 1, 0]], [[1, 1, 1], [0, 0, 0]]])
    for codes in (heads, rng.integers(0, 2, size=(2, 2, 4))):
        wanted = [[[c / max(sum(row), 1) for c in row] for row in head] for head in codes.tolist()]
        yield Case((codes,), np.array(wanted))


@exercise(
    idea="A score raises its own probability and lowers all others of its row. And if grad is equal everywhere?",
    step="probs times (grad less something that is the same for a whole row): a mean of grad, weighed by probs.",
    mistakes={
        "This is the gradient to the probabilities. To the scores it goes through the softmax.": (
            lambda probs, grad: grad
        ),
        "A score also lowers the other probabilities of its row: a term is missing.": (
            lambda probs, grad: probs * grad
        ),
        "This is the diagonal of the Jacobian. A score also lowers the other probabilities of its row.": (
            lambda probs, grad: probs * (1 - probs) * grad
        ),
        "Rows do not know of one another: sum over the last axis only.": (
            lambda probs, grad: probs * (grad - (probs * grad).sum())
        ),
        "The gradients of a row are weighed by its probabilities, not averaged evenly.": (
            lambda probs, grad: probs * (grad - grad.mean(axis=-1, keepdims=True))
        ),
        "The other term has a_j in front, too: a_j g_j - a_j (sum of a_i g_i).": (
            lambda probs, grad: probs * grad - (probs * grad).sum(axis=-1, keepdims=True)
        ),
        "The sign is the wrong way round: a score raises its own probability.": (
            lambda probs, grad: probs * ((probs * grad).sum(axis=-1, keepdims=True) - grad)
        ),
    },
)
def ex_6_4(rng: Generator) -> Iterator[Case]:
    """The gradient to the scores, from the one to the softmax's output."""
    yield Case((np.array([0.75, 0.25]), np.array([1.0, 0.0])), np.array([0.1875, -0.1875]))
    yield Case((np.array([0.9, 0.06, 0.04]), np.array([2.0, 2.0, 2.0])), np.zeros(3))
    heads = np.array([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [[0.25, 0.5, 0.25], [0.6, 0.3, 0.1]]])
    for probs in (heads, (rng.multinomial(17, [0.5, 0.3, 0.2], size=2) + 1) / 20):
        grad = rng.normal(size=probs.shape).round(1)
        scores = torch.from_numpy(np.log(probs)).requires_grad_()
        torch.softmax(scores, -1).backward(torch.from_numpy(grad))
        assert scores.grad is not None
        yield Case((probs, grad), scores.grad.numpy())


@exercise(
    idea="s_c stands in output c of every token, and nowhere else. What is multiplied by it there?",
    step="The slope of y_c to s_c is inputs . signs_c. Times grad, summed over the tokens.",
    mistakes={
        "Weigh each slope by the gradient from above, grad.": (
            lambda inputs, signs, grad: (inputs @ signs.T).sum(axis=0)
        ),
        "Tokens are axis 0: each output channel has one scale for all of them.": (
            lambda inputs, signs, grad: (grad * (inputs @ signs.T)).sum(axis=1)
        ),
        "The scale stands in every token, so its gradient is a sum, not a mean.": (
            lambda inputs, signs, grad: (grad * (inputs @ signs.T)).mean(axis=0)
        ),
        "Each output channel has a scale of its own: sum over the tokens only.": (
            lambda inputs, signs, grad: (grad * (inputs @ signs.T)).sum()
        ),
        "That is the gradient of a bias. A scale is multiplied by what the signs make of the inputs.": (
            lambda inputs, signs, grad: grad.sum(axis=0)
        ),
        "That is the gradient to all weights: (out, in). The scale's is what the signs sum up of it.": (
            lambda inputs, signs, grad: grad.T @ inputs
        ),
        "These are the parts of each token: sum over them.": (
            lambda inputs, signs, grad: grad * (inputs @ signs.T)
        ),
    },
)
def ex_6_5(rng: Generator) -> Iterator[Case]:
    """The gradient to a weight scale of each output channel."""
    for tokens, inside, outside in ((1, 3, 2), (4, 2, 3)):
        inputs = np.where(rng.normal(size=(tokens, inside)) >= 0, 1.0, -1.0)
        grad = rng.normal(size=(tokens, outside)).round(1)
        signs = np.where(rng.normal(size=(outside, inside)) >= 0, 1.0, -1.0)
        wanted = [
            sum(grad[t, c] * sum(inputs[t, k] * signs[c, k] for k in range(inside)) for t in range(tokens))
            for c in range(outside)
        ]
        yield Case((inputs, signs, grad), np.array(wanted))
