"""Units of memory, decided once: MiB and its kin are powers of 1024, MB and its kin are powers of 1000.

The papers write "MB" for both. BERT-base's 418 "MB" are MiB (437.9 MB), BiViT's 346.3 MB are MB (330.2 MiB); each
rule prints the unit that its source's figures are in, under its right name. The names are those of IEC 80000-13;
see https://physics.nist.gov/cuu/Units/binary.html.
"""

from __future__ import annotations

from typing import Literal

MemoryUnit = Literal["MiB", "MB"]

_NAMES: dict[MemoryUnit, tuple[int, tuple[str, ...]]] = {
    "MiB": (1024, ("B", "KiB", "MiB", "GiB")),
    "MB": (1000, ("B", "kB", "MB", "GB")),
}


def memory(number: float, unit: MemoryUnit) -> str:
    """A number of bytes in the largest unit of that kind that leaves at least one before the point.

    >>> memory(14_082_168, "MiB"), memory(16_817_000, "MB"), memory(96, "MiB")
    ('13.43 MiB', '16.82 MB', '96 B')
    """
    base, names = _NAMES[unit]
    power = 0
    while number >= base and power < len(names) - 1:
        number, power = number / base, power + 1
    return f"{number:,.2f} {names[power]}" if power else f"{number:,.10g} B"


def count(number: float, unit: str) -> str:
    """A number of operations with four digits, in thousands (k), millions (M) or thousand millions (G).

    >>> count(22_348_431_360, "FLOPs"), count(389_000_000, "OPs"), count(96, "OPs")
    ('22.35 G FLOPs', '389.0 M OPs', '96 OPs')
    """
    for power, prefix in ((1e9, "G "), (1e6, "M "), (1e3, "k ")):
        if number >= power:
            value = number / power
            digits = 3 if value < 10 else 2 if value < 100 else 1
            return f"{value:,.{digits}f} {prefix}{unit}"
    return f"{number:.4g} {unit}"
