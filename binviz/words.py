"""Numbers as a person reads them: the same number looks the same on every page, in every figure and table."""

from __future__ import annotations

from math import isfinite


def percent(share: float, digits: int = 1) -> str:
    """A share in percent. Only a whole is 100 %, and only nothing is 0 %.

    Args:
        share: 0 to 1; less than nothing and more than a whole are shares too (of an error, of a limit).
        digits: after the point.

    >>> percent(0.9764), percent(1 - 1e-9), percent(1.0), percent(1e-9), percent(0.0)
    ('97.6 %', '>99.9 %', '100 %', '<0.1 %', '0 %')
    >>> percent(0.9988), percent(0.98765, 0), percent(1.2), percent(float("nan"))
    ('99.9 %', '99 %', '120.0 %', 'not a number')
    """
    if not isfinite(share):
        return "not a number"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    step = 10.0**-digits
    if 0 < share < 1:
        if round(100 * share, digits) >= 100:
            return f">{100 - step:.{digits}f} %"
        if round(100 * share, digits) <= 0:
            return f"<{step:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"


def times(ratio: float) -> str:
    """How many times, with two digits where it is not more than a hundred.

    >>> times(5.678), times(0.4), times(43.21), times(156.3), times(2.0)
    ('5.7', '0.40', '43', '156', '2.0')
    """
    if ratio < 1:
        return f"{ratio:.2f}"
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def counted(number: int, what: str, many: str = "") -> str:
    """A number of things.

    Args:
        number: of them.
        what: one is called.
        many: several are called; by default with an s.

    >>> counted(1, "run"), counted(1200, "run"), counted(2, "study", "studies")
    ('1 run', '1,200 runs', '2 studies')
    """
    return f"{number:,} {what if number == 1 else many or what + 's'}"
