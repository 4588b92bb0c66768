"""The measures of `errors` and `causes` for people: how they are called, which way is better, what is no use."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """One column of the tables.

    column: its name there. unit: of its values. better: "lower" or "higher". reference: the value of an answer that
    is of no use, or None. means: what that answer is.
    """

    column: str
    unit: str
    better: str
    reference: float | None
    means: str


#: Name -> measure, the usual one first.
MEASURES = {
    "relative error": Measure(
        "relative_l2", "no unit, 0 = equal", "lower", 1.0, "as wrong as answering zero"
    ),
    "cosine": Measure("cosine", "no unit, 1 = same direction", "higher", 0.0, "an unrelated direction"),
    "signal to noise": Measure("sqnr_db", "dB", "higher", 0.0, "as much noise as signal"),
    "equal signs": Measure("sign_agreement", "share, 0 to 1", "higher", 0.5, "signs by chance"),
    "mean squared error": Measure("mse", "squared unit of the tensor", "lower", None, ""),
}
