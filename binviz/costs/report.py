"""The result of counting: rows, totals and ratios, as a table like larq's model summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from binviz.costs import rules, table
from binviz.costs.parts import FLOAT, Part, Provenance, Quantity
from binviz.costs.rules import Rule
from binviz.costs.units import count, memory
from binviz.words import percent


@dataclass(frozen=True)
class Row:
    """Costs of one part under a rule.

    layer: canonical name. module: its path. kind: class, or "product" in attention. weight_bits,
    activation_bits: of the operands, 32 is float, None where there is none. macs: multiply-accumulates.
    operations: in the rule's unit. bytes: of memory. operations_from, bytes_from: where the two come from.
    """

    layer: str
    module: str
    kind: str
    weight_bits: int | None
    activation_bits: int | None
    macs: int
    operations: float
    bytes: float
    operations_from: Provenance = "counted"
    bytes_from: Provenance = "counted"

    @property
    def provenance(self) -> str:
        """Where its figures come from, in words; nothing where it has none.

        >>> Row("fc", "", "", 1, 1, 640, 10.0, 80.0, "counted", "assumed").provenance
        'counted, memory assumed'
        """
        found = {
            "operations": self.operations and self.operations_from,
            "memory": self.bytes and self.bytes_from,
        }
        known = {name: origin for name, origin in found.items() if origin}
        first = next(iter(known.values()), "")
        return ", ".join([first, *(f"{name} {origin}" for name, origin in known.items() if origin != first)])


@dataclass(frozen=True)
class Costs:
    """Operations and bytes of a network for one input, by layer, under one rule.

    Prints as a table; a notebook shows it as one. Every figure is printed with its unit and the rule's name.

    Attributes:
        model: the class. recipe: its name, or "float". input: what one input is. rule: how it is counted.
        parts: what is counted.

    >>> part = Part("fc", "fc", "BinaryLinear", macs=4096, weight_bits=1, activation_bits=1)
    >>> counted = Costs("Net", "bnn", "one row", rules.get("bivit"), (part,))
    >>> counted.operations, counted.float_operations, counted.operations_ratio, counted.macs
    (64.0, 4096.0, 64.0, {(1, 1): 4096})
    """

    model: str
    recipe: str
    input: str
    rule: Rule
    parts: tuple[Part, ...]

    def under(self, rule: str | Rule) -> Costs:
        """The same network under another rule.

        Raises:
            UserError: unknown rule.

        >>> part = Part("fc", "fc", "BinaryLinear", macs=4096, weight_bits=1, activation_bits=32)
        >>> counted = Costs("Net", "bnn", "one row", rules.get("bivit"), (part,))
        >>> counted.operations, counted.under("reactnet").operations
        (2048.0, 4096.0)
        """
        return Costs(self.model, self.recipe, self.input, rules.get(rule), self.parts)

    @property
    def binary(self) -> bool:
        """Whether anything is binarized."""
        return any(part.binary for part in self.parts)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """One for each part in module order, and the rule's remainder if it has one."""
        rule = self.rule
        size = rule.bytes if self.binary else rule.float_bytes
        price = rule.operations if self.binary else rule.float_operations
        origins = rule.provenance("operations"), rule.provenance("memory")
        rows = [
            Row(p.name, p.path, p.kind, p.weight_bits, p.activation_bits, p.macs, price(p), size(p), *origins)
            for p in self.parts
        ]
        remainder = rule.remainder(self.parts)
        if remainder:
            what = ("remainder", "", "softmax, norms, ...")
            rows.append(Row(*what, None, None, 0, remainder, 0.0, rule.remainder_from))
        return tuple(rows)

    def not_counted(self, quantity: Quantity) -> dict[Provenance, float]:
        """How much is "fitted" or "assumed", in the rule's unit or in bytes; empty where all is counted.

        >>> from binviz import costs
        >>> import torch
        >>> network = torch.nn.Sequential(*(torch.nn.Linear(64, 64, bias=False) for _ in range(3)))
        >>> counted = costs.of(network, "bnn", shape=(64,), rule="bert-line")
        >>> {origin: round(amount, 2) for origin, amount in counted.not_counted("operations").items()}
        {'fitted': 17.77}
        """
        found: dict[Provenance, float] = {}
        for row in self.rows:
            origin, amount = row.bytes_from, row.bytes
            if quantity == "operations":
                origin, amount = row.operations_from, row.operations
            if origin != "counted" and amount:
                found[origin] = found.get(origin, 0.0) + amount
        return found

    @cached_property
    def macs(self) -> dict[tuple[int, int], int]:
        """Multiply-accumulates by (weight bits, activation bits), fewest bits first; 32 is float."""
        totals: Counter[tuple[int, int]] = Counter()
        for part in self.parts:
            if part.macs:
                totals[part.weight_bits or FLOAT, part.activation_bits or FLOAT] += part.macs
        return dict(sorted(totals.items()))

    @property
    def binary_share(self) -> float:
        """Share of MACs whose operands both have one bit, 0 to 1.

        >>> products = (Part("a", "a", "product", 30, 1, 1), Part("b", "b", "product", 10, 1, 32))
        >>> Costs("Net", "bnn", "one row", rules.get("bivit"), products).binary_share
        0.75
        """
        return self.macs.get((1, 1), 0) / max(sum(self.macs.values()), 1)

    @cached_property
    def operations(self) -> float:
        """In the rule's unit."""
        return sum(row.operations for row in self.rows)

    @cached_property
    def bytes(self) -> float:
        """Of memory."""
        return sum(row.bytes for row in self.rows)

    @cached_property
    def float_operations(self) -> float:
        """Of the float network, in the rule's unit."""
        return sum(map(self.rule.float_operations, self.parts))

    @cached_property
    def float_bytes(self) -> float:
        """Of the float network's memory."""
        return sum(map(self.rule.float_bytes, self.parts))

    @property
    def operations_ratio(self) -> float:
        """How many times fewer operations than the float network; 1 for a network without any."""
        return self.float_operations / self.operations if self.operations else 1.0

    @property
    def memory_ratio(self) -> float:
        """How many times smaller than the float network."""
        return self.float_bytes / self.bytes if self.bytes else 1.0

    def to_records(self) -> list[dict[str, Any]]:
        """Rows as dictionaries for a data frame, each with the rule and the units of its figures.

        >>> part = Part("fc", "fc", "Linear", macs=10)
        >>> record = Costs("Net", "float", "one row", rules.get("bivit"), (part,)).to_records()[0]
        >>> record["layer"], record["operations"], record["operations_unit"], record["rule"]
        ('fc', 10.0, 'OPs', 'bivit')
        """
        units = {"rule": self.rule.name, "operations_unit": self.rule.unit, "bytes_unit": "B"}
        return [vars(row) | units for row in self.rows]

    def summary(self) -> list[str]:
        """The totals as lines of text, each with units and the rule's name.

        >>> part = Part("fc", "fc", "Linear", macs=4096, weights=4096)
        >>> Costs("Net", "float", "one row", rules.get("bivit"), (part,)).summary()[2:]
        ['operations: 4.096 k OPs [rule bivit]', 'memory: 16.38 kB [rule bivit]']
        """
        rule = self.rule
        name, unit = f"{self.model}, {self.recipe}, {self.input}", rule.memory_unit
        share = f"{percent(self.binary_share)} with two 1-bit operands"
        work, size = count(self.operations, rule.unit), memory(self.bytes, unit)
        if fitted := self.not_counted("operations").get("fitted"):
            work += f" ({percent(fitted / self.operations)} fitted)"
        if self.binary:
            work += (
                f", {self.operations_ratio:.1f}x less than float's {count(self.float_operations, rule.unit)}"
            )
            size += f", {self.memory_ratio:.1f}x less than float's {memory(self.float_bytes, unit)}"
        return [
            name,
            f"products: {count(sum(self.macs.values()), 'MACs')}, {share}",
            f"operations: {work} [{rule.label('operations')}]",
            f"memory: {size} [{rule.label('memory')}]",
        ]

    def __str__(self) -> str:
        return table.as_text(self)

    def _repr_html_(self) -> str:
        return table.as_html(self)
