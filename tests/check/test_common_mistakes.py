"""The mistakes that students make are caught; that right answers pass is shown by the notebooks' solutions."""

import numpy as np
import pytest

from binviz import check


def _differing(a, w):
    return np.bitwise_count(a[:, None] ^ w[None]).sum(axis=-1, dtype=int)


@pytest.mark.parametrize(
    ("exercise", "mistake", "said"),
    [
        (check.ex_0_1, lambda matches, n: matches, "Hint"),
        (check.ex_0_1, lambda matches, n: 2 * matches - 8, "Hint"),
        (check.ex_0_2, lambda x: x > 0, "exact zero"),
        (check.ex_0_3, lambda a, b, n: 2 * ((a ^ b) ^ (2**64 - 1)).bit_count() - n, "0 in both words"),
        (check.ex_0_4, lambda a, b: (a & b).bit_count(), "contributes"),
        (check.ex_1_1, np.sign, "third value"),
        (check.ex_1_2, lambda x: np.abs(x).max(), "derivative"),
        (check.ex_1_2, lambda x: x.mean(), "derivative"),
        (check.ex_1_3, lambda x: ((x - np.abs(x).mean() * np.sign(x)) ** 2).mean(), "sum(x**2)"),
        (check.ex_1_4, lambda w: np.where(w >= 0, 1, -1) * np.abs(w).mean(), "axis 1"),
        (check.ex_1_4, lambda w: np.where(w >= 0, 1, -1) * np.abs(w).mean(axis=0), "axis 1"),
        (check.ex_1_5, lambda x, alpha: alpha * (x > alpha), "1/2"),
        (check.ex_1_5, lambda x, alpha: x > alpha / 2, "alpha times"),
        (check.ex_1_6, lambda x, g: np.clip(2 - 2 * np.abs(x), 0, None), "from above"),
        (check.ex_1_7, lambda x, alpha, g: (g * (x > alpha / 2)).sum(), "slope"),
        (check.ex_3_1, lambda a, w, K: 64 * a.shape[1] - 2 * _differing(a, w), "less than 64"),
        (check.ex_3_1, lambda a, w, K: K - _differing(a, w), "count"),
        (check.ex_3_2, lambda x: x - (x >> 1), "0x5555"),
        (check.ex_3_2, lambda x: x & (x >> 1) & 0x5555555555555555, "pair"),
        (check.ex_3_3, lambda words: words.reshape(-1, 64, words.shape[1])[:, ::1], "Panel p"),
        (
            check.ex_3_3,
            lambda words: words[: len(words) // 64 * 64].T.reshape(-1, words.shape[1], 64),
            "line k",
        ),
        (check.ex_3_4, lambda bits, floats: 64 * floats / bits, "32 times"),
        (check.ex_3_4, lambda bits, floats: 32 * bits / floats, "32 times"),
        (check.ex_3_5, lambda operations, moved, limit, bandwidth: limit, "smaller"),
        (check.ex_3_5, lambda operations, moved, limit, bandwidth: bandwidth * moved / operations, "smaller"),
        (check.ex_3_6, lambda share, ratio: 1 - share + share * ratio, "stays as it is"),
        (check.ex_3_6, lambda share, ratio: 1 - share + share / ratio, "becomes"),
        (check.ex_6_1, lambda row, ones: (row.mean(), row >= row.mean() / 2), "mean of the row where"),
        (check.ex_6_1, lambda row, ones: (row[ones].mean(), row >= row[ones].mean()), "v / 2"),
        (check.ex_6_1, lambda row, ones: (row[ones].mean(), row > row[ones].mean() / 2), "as near to v"),
        (
            check.ex_6_1,
            lambda row, ones: (row[ones].sum(), row >= row[ones].sum() / 2),
            "mean of the row where",
        ),
        (check.ex_6_2, lambda rows, beta: rows >= beta, "largest of its row"),
        (check.ex_6_2, lambda rows, beta: rows >= beta * rows.max(), "its own maximum"),
        (check.ex_6_2, lambda rows, beta: rows > beta * rows.max(-1, keepdims=True), "exactly beta"),
        (check.ex_6_2, lambda rows, beta: rows >= rows.max(-1, keepdims=True) / 4, "second argument"),
        (check.ex_6_3, lambda codes: codes / codes.shape[-1], "sum(axis=-1"),
        (check.ex_6_3, lambda codes: codes / codes.sum(), "sum(axis=-1"),
        (check.ex_6_3, lambda codes: codes / (codes.sum(-1, keepdims=True) + 1), "sum(axis=-1"),
        (check.ex_6_3, lambda codes: codes / codes.sum(1, keepdims=True).clip(1), "last axis"),
        (check.ex_6_4, lambda probs, grad: grad, "sum of probs * grad"),
        (check.ex_6_4, lambda probs, grad: probs * grad, "sum of probs * grad"),
        (check.ex_6_4, lambda probs, grad: probs * (1 - probs) * grad, "sum of probs * grad"),
        (check.ex_6_4, lambda probs, grad: probs * (grad - (probs * grad).sum()), "last axis"),
        (check.ex_6_5, lambda inputs, signs, grad: (inputs @ signs.T).sum(axis=0), "one gradient"),
        (check.ex_6_5, lambda inputs, signs, grad: (grad * (inputs @ signs.T)).sum(axis=1), "one gradient"),
        (check.ex_6_5, lambda inputs, signs, grad: (grad * (inputs @ signs.T)).mean(axis=0), "one gradient"),
        (
            check.ex_7_1,
            lambda q, q_b, k, k_b: tuple(x @ y.T for x in (q_b, q - q_b) for y in (k_b, k - k_b)),
            "divided by 2",
        ),
        (
            check.ex_7_1,
            lambda q, q_b, k, k_b: tuple(
                x @ y.T / q.shape[1] ** 0.5 for y in (k_b, k - k_b) for x in (q_b, q - q_b)
            ),
            "the third q_r k_b",
        ),
        (check.ex_7_2, lambda m: 1 - np.cumsum(np.linalg.svd(m)[1]) / np.linalg.svd(m)[1].sum(), "energy"),
        (check.ex_7_3, lambda q_m, q_p, k_m, k_p: (q_m + q_p) @ (k_m + k_p).T, "never their main part"),
        (check.ex_7_3, lambda q_m, q_p, k_m, k_p: q_m @ k_p.T + q_p @ k_m.T, "never their main part"),
        (check.ex_7_4, lambda r: (r.mean(0), ((r - r.mean(0)) ** 2).mean()), "mean over the heads"),
        (check.ex_7_5, lambda a, b: np.bitwise_count(a ^ b).sum(), "one sign of the first row"),
    ],
)
def test_a_mistake_is_caught_with_its_hint(exercise, mistake, said, capsys):
    assert exercise(mistake) is False
    assert said in capsys.readouterr().out


def test_padding_is_the_trap_of_packed_words():
    assert check.ex_0_3(lambda a, b, n: n - 2 * (a ^ b).bit_count())
