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
    ],
)
def test_a_mistake_is_caught_with_its_hint(exercise, mistake, said, capsys):
    assert exercise(mistake) is False
    assert said in capsys.readouterr().out


def test_padding_is_the_trap_of_packed_words():
    assert check.ex_0_3(lambda a, b, n: n - 2 * (a ^ b).bit_count())
