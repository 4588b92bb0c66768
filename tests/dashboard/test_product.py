import re

import numpy as np
import pytest
from binviz_dashboard import product

from binviz import UserError


@pytest.mark.parametrize("signed", [True, False], ids=["xor", "and"])
def test_a_turned_bit_moves_the_sum_and_keeps_the_scales(signed):
    rng = np.random.default_rng(1)
    a, w = (product.written(np.append(rng.normal(size=7).round(2), [0.0, 0.5])) for _ in range(2))
    before = product.step(a, w, signed)
    for of in ("a", "w"):
        for place in range(9):
            after = product.flip(before, of, place)
            bits = getattr(before, f"{of}_bits").copy()
            bits[place] ^= 1
            assert (getattr(after, f"{of}_bits") == bits).all()
            assert product.dot(after) == after.a_codes @ after.w_codes
            moved = abs(product.dot(after) - product.dot(before))
            assert moved == (2 if signed else 1 if of == "a" else 2 * before.a_bits[place])
            again = product.step(product.written(after.a), product.written(after.w), signed)
            assert (again.a_bits == after.a_bits).all() and (again.w_bits == after.w_bits).all()
            assert str(product.dot(after)) in product.flipped(before, after)
            if of == "w" and signed and before.w[place]:
                assert np.abs(after.w).mean() == pytest.approx(np.abs(before.w).mean())


def test_a_place_that_is_not_there():
    with pytest.raises(UserError, match="from 0 to 1"):
        product.flip(product.step("1 2", "3 4", signed=True), "a", 2)


def test_formulas_have_short_lines():
    """Of commands and of what they draw; about thirty letters fit 390 pixels."""
    met = product.Met(
        np.ones(1536, int), np.zeros(1536, int), True, 1536, -1536, 0.0123456, -0.987654, -19.2, -19.2
    )
    step = product.step(" ".join("1" * 16), " ".join("1" * 16), signed=True)
    unsigned = product.step("1 0", "1 1", signed=False)
    for formula in (product.in_words(step), product.in_words(unsigned), product.row_in_words(met)):
        for line in formula.split(r"\\"):
            drawn = re.sub(
                r"\\(?:begin|end)\{aligned\}|\\(?:text|mathrm|quad|cdot|oplus|wedge|,)|[{}& ]", "", line
            )
            assert len(drawn) <= 34, drawn
    assert "dot" in product.row_in_words(met) and "-19.2" in product.row_in_words(met)


def test_the_order_of_bits_is_said():
    """The first bit that is drawn is the last digit of the word that stands beside it."""
    assert all("read from the right" in text for text in product.ABOUT.values())
