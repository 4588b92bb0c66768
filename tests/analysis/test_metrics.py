import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial import distance
from sklearn.metrics import mean_squared_error
from sklearn.metrics.pairwise import cosine_similarity

from binviz.analysis import metrics

PAIRS = arrays(np.float64, (2, 9), elements=st.floats(-100, 100, width=16).filter(lambda x: x != 0))


@given(PAIRS)
def test_agrees_with_scikit_learn_and_scipy(pair):
    a, b = pair
    noise = np.sum((a - b) ** 2)
    assert metrics.mse(a, b) == pytest.approx(mean_squared_error(a, b))
    assert metrics.cosine(a, b) == pytest.approx(cosine_similarity([a], [b])[0, 0], abs=1e-12)
    assert metrics.relative_l2(a, b) == pytest.approx(distance.euclidean(a, b) / np.linalg.norm(a))
    assert metrics.sign_agreement(a, b) == pytest.approx(1 - distance.hamming(a > 0, b > 0))
    if noise > 0:
        assert metrics.sqnr_db(a, b) == pytest.approx(10 * math.log10(np.sum(a**2) / noise), abs=1e-9)


@given(arrays(np.int8, st.integers(1, 40), elements=st.integers(-8, 7)))
def test_code_entropy_agrees_with_scipy(codes):
    counts = np.unique(codes, return_counts=True)[1]
    assert metrics.code_entropy(codes) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


ZERO, ONE = np.zeros(3), np.ones(3)
EDGES = [
    # function, reference, approximation, value
    (metrics.mse, ZERO, ZERO, 0),
    (metrics.mse, [], [], math.nan),
    (metrics.relative_l2, ZERO, ZERO, 0),
    (metrics.relative_l2, ZERO, ONE, math.inf),
    (metrics.relative_l2, ONE, ZERO, 1),
    (metrics.relative_l2, [], [], math.nan),
    (metrics.cosine, ZERO, ZERO, 1),
    (metrics.cosine, ZERO, ONE, 0),
    (metrics.cosine, ONE, ZERO, 0),
    (metrics.cosine, ONE, -ONE, -1),
    (metrics.cosine, 1e38 * ONE, 1e38 * ONE, 1),
    (metrics.cosine, [], [], math.nan),
    (metrics.sqnr_db, ONE, ONE, math.inf),
    (metrics.sqnr_db, ZERO, ZERO, math.inf),
    (metrics.sqnr_db, ZERO, ONE, -math.inf),
    (metrics.sqnr_db, ONE, ZERO, 0),
    (metrics.sqnr_db, [], [], math.nan),
    (metrics.sign_agreement, ZERO, ONE, 1),
    (metrics.sign_agreement, ZERO, -ONE, 0),
    (metrics.sign_agreement, [], [], math.nan),
]


def test_zeros_and_nothing():
    for function, a, b, value in EDGES:
        assert function(a, b) == pytest.approx(value, nan_ok=True)
        assert str(function(a, b)) != "-0.0"


def test_entropy_of_nothing():
    assert math.isnan(metrics.code_entropy([]))


def test_different_sizes_are_a_bug():
    with pytest.raises(ValueError, match="3 values against 2"):
        metrics.mse(ONE, [1, 2])


def test_ones_per_row():
    codes = np.array([[[1, -1, 1], [1, 1, 1]], [[0, 0, 0], [3, 0, -8]]])
    assert metrics.ones_per_row(codes).tolist() == [[2, 3], [0, 1]]
    assert metrics.ones_per_row(codes, [True, True, False]).tolist() == [[1, 2], [0, 1]]


def test_mass_kept_is_a_sum_over_ones_and_a_mean_over_queries():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(5), size=(2, 4))
    codes = rng.integers(0, 2, probs.shape)
    expected = [
        np.mean(
            [sum(p for p, q in zip(row, code, strict=True) if q) for row, code in zip(*head, strict=True)]
        )
        for head in zip(probs, codes, strict=True)
    ]
    np.testing.assert_allclose(metrics.mass_kept(probs, codes), expected)
    assert metrics.mass_kept(probs, 2 * codes - 1).tolist() == pytest.approx(expected)
    # A query that is padding is left out, whatever its codes are.
    allowed = np.ones(probs.shape, bool)
    allowed[:, 3:] = False
    np.testing.assert_allclose(
        metrics.mass_kept(probs, codes, allowed), metrics.mass_kept(probs[:, :3], codes[:, :3])
    )
    assert np.isnan(metrics.mass_kept(probs, codes, np.zeros(probs.shape, bool))).all()


def test_correlation_of_maps_is_pearsons():
    a, b = np.random.default_rng(0).dirichlet(np.ones(5), size=(2, 5))
    assert metrics.map_correlation(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert metrics.map_correlation(a, 3 * a) == pytest.approx(1)
    assert metrics.map_correlation(a, np.full_like(a, 0.2)) == 0
    allowed = np.zeros((5, 5), bool)
    allowed[:3, :3] = True
    assert metrics.map_correlation(a, b, allowed) == pytest.approx(
        np.corrcoef(a[:3, :3].ravel(), b[:3, :3].ravel())[0, 1]
    )
