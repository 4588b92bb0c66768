"""The residual polynomial: terms add up to the float products, and the first is what the binary layer computes."""

import numpy as np
import pytest
import torch

from binviz.analysis import capture, residual_polynomial
from binviz.analysis.residual_polynomial import TERMS
from binviz.convert import binarize_
from binviz.errors import UserError

from .conftest import HEADS, TOKENS, make_inputs, make_model


def binary(recipe="bipft-b", architecture="bert"):
    model, inputs = make_model(architecture), make_inputs(architecture)
    binarize_(model, recipe)
    with torch.no_grad():
        model(**inputs) if architecture == "bert" else model(inputs)  # scales start
    return model, inputs


@pytest.mark.parametrize("recipe", ["bipft-a", "bipft-b", "bit-w1a2", "bnn-threshold"])
@pytest.mark.parametrize("architecture", ["bert", "vit"])
def test_terms_add_up_to_the_float_scores_and_context(recipe, architecture):
    """Of the projections by hand: no array of the decomposition is used."""
    model, inputs = binary(recipe, architecture)
    seen, example = capture(model, inputs), 1
    for layer in range(2):
        mask = inputs["attention_mask"] if architecture == "bert" else None
        kept = slice(0, None if mask is None else int(mask[example].sum()))
        for head in range(HEADS):
            found = residual_polynomial(model, inputs, layer, head, example)
            q, k, v = (seen[f"layers.{layer}.{part}"][example, head][kept] for part in "qkv")
            scores = q @ k.T / np.sqrt(q.shape[-1])
            assert np.abs(sum(found.scores.terms.values()) - scores).max() < 1e-5
            probs = seen[f"layers.{layer}.probs"][example, head][kept, kept]
            assert np.abs(sum(found.context.terms.values()) - probs @ v).max() < 1e-5


@pytest.mark.parametrize("recipe", ["bipft-a", "bipft-b"])
def test_the_binary_layer_computes_the_first_term_and_the_estimate(recipe):
    model, inputs = binary(recipe)
    seen = capture(model, inputs)
    found = residual_polynomial(model, inputs, layer=1, head=1)
    count = int(inputs["attention_mask"][0].sum())
    for part, whole in (
        (found.scores, seen["layers.1.scores"][0, 1][:count, :count]),
        (found.context, seen["layers.1.context"].reshape(2, TOKENS, HEADS, -1)[0, :count, 1]),
    ):
        computed = part.terms[TERMS[0]] + (0 if part.estimate is None else part.estimate)
        np.testing.assert_allclose(computed, whole, atol=1e-5)
        assert (part.estimate is None) == (recipe == "bipft-a")


def test_the_best_of_a_rank_is_that_of_the_singular_values():
    model, inputs = binary()
    part = residual_polynomial(model, inputs, 0, 0).scores
    u, s, v = np.linalg.svd(part.residual)
    for rank in range(len(s) + 1):
        best = (u[:, :rank] * s[:rank]) @ v[:rank]
        share = np.square(part.residual - best).sum() / np.square(part.residual).sum()
        assert part.left[rank] == pytest.approx(share, abs=1e-12)
    # No estimate of that rank is better
    assert np.linalg.matrix_rank(part.estimate, tol=1e-5) <= part.rank == 2
    assert part.left_by_estimators >= part.left[part.rank]


def test_estimators_that_are_right_leave_nothing():
    """A model whose queries have a residual of rank one, which the estimators know."""
    model, inputs = binary()
    found = residual_polynomial(model, inputs, 0, 0).context
    assert found.left_by_estimators > 0
    exact = type(found)(found.whole, found.terms, found.residual, found.estimated, found.rank)
    assert exact.left_by_estimators == 0


def test_what_is_not_there():
    model, inputs = binary("bibert")
    with pytest.raises(UserError, match="binarizes scores, not probabilities"):
        residual_polynomial(model, inputs, 0, 0)
    model, inputs = binary()
    for options, message in (
        ((2, 0), "no layer 2; this model has 2"),
        ((0, 2), "no head 2 in layer 0; choose 0 to 1"),
        ((0, 0, 9), "no example 9"),
    ):
        with pytest.raises(UserError, match=message):
            residual_polynomial(model, inputs, *options)
