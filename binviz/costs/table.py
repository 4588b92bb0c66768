"""The table of a result, for a terminal and for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from binviz.costs.parts import FLOAT
from binviz.costs.units import memory

if TYPE_CHECKING:
    from binviz.costs.report import Costs

Line = tuple[str, ...]


def cells(costs: Costs) -> tuple[Line, list[Line], Line]:
    """Header, lines and totals as text; one column of MACs for each pair of operand widths that occurs.

    >>> from binviz.costs import rules
    >>> from binviz.costs.parts import Part
    >>> from binviz.costs.report import Costs
    >>> cells(Costs("Net", "float", "one row", rules.get("bivit"), (Part("fc", "fc", "Linear", 10),)))[0]
    ('layer', 'kind', 'w bits', 'a bits', 'float MACs', 'OPs', 'memory', 'provenance')
    """
    pairs = list(costs.macs)
    rule = costs.rule
    names = {(FLOAT, FLOAT): "float MACs"}
    header = (
        *("layer", "kind", "w bits", "a bits"),
        *(names.get(pair, f"{pair[0]}x{pair[1]} MACs") for pair in pairs),
        *(rule.unit, "memory", "provenance"),
    )
    lines = []
    for row in costs.rows:
        bits = (row.weight_bits, row.activation_bits)
        operands = tuple(value or FLOAT for value in bits)
        macs = (f"{row.macs:,}" if row.macs and pair == operands else "-" for pair in pairs)
        size = memory(row.bytes, rule.memory_unit) if row.bytes else "-"
        shown = (str(value) if value else "-" for value in bits)
        figures = (_number(row.operations), size, row.provenance or "-")
        lines.append((row.layer, row.kind, *shown, *macs, *figures))
    sums = (f"{costs.macs[pair]:,}" for pair in pairs)
    size = memory(costs.bytes, rule.memory_unit)
    return header, lines, ("total", "", "", "", *sums, _number(costs.operations), size, "")


def as_text(costs: Costs) -> str:
    """Columns of text, then the totals in words.

    >>> from binviz.costs import rules
    >>> from binviz.costs.parts import Part
    >>> from binviz.costs.report import Costs
    >>> print(as_text(Costs("Net", "float", "one row", rules.get("bivit"), (Part("fc", "fc", "Linear", 10),))))
    layer  kind    w bits  a bits  float MACs  OPs  memory  provenance
    ------------------------------------------------------------------
    fc     Linear       -       -          10   10       -     counted
    ------------------------------------------------------------------
    total                                  10   10     0 B
    Net, float, one row
    products: 10 MACs, 0 % with two 1-bit operands
    operations: 10 OPs [rule bivit]
    memory: 0 B [rule bivit]
    """
    header, lines, total = cells(costs)
    widths = [max(map(len, column)) for column in zip(header, *lines, total, strict=True)]

    def text(line: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(aligned).rstrip()

    ruler = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([text(header), ruler, *map(text, lines), ruler, text(total), *costs.summary()])


def as_html(costs: Costs) -> str:
    """A table element without style of its own but the alignment of numbers."""
    header, lines, total = cells(costs)

    def row(line: Sequence[str], tag: str = "td") -> str:
        align = ("left", "left", *("right",) * (len(line) - 2))
        return "".join(
            f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
            for cell, side in zip(line, align, strict=True)
        )

    body = "".join(f"<tr>{row(line)}</tr>" for line in lines)
    caption = "<br>".join(map(escape, costs.summary()))
    return (
        f'<table><caption style="text-align:left">{caption}</caption>'
        f"<thead><tr>{row(header, 'th')}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr>{row(total, 'th')}</tr></tfoot></table>"
    )


def _number(operations: float) -> str:
    return f"{operations:,.0f}" if operations else "-"
