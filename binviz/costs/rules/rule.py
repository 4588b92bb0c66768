"""What a rule is: a way of counting that a paper's figures follow, under one name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from binviz.costs.parts import FLOAT, Part, Provenance, Quantity
from binviz.costs.units import MemoryUnit
from binviz.errors import UserError, near


class Rule:
    """Operations and bytes of a part. A subclass says in its docstring what it counts and whose rule it is.

    The methods given here are what most papers do: a multiply-accumulate (MAC) with a float operand is one
    operation, each bit of a weight is a bit, and every other number has four bytes. Attention's two products are
    counted; softmax, norms, activation functions, additions and table look-ups are not.

    Attributes:
        name: what `costs.of` takes and every figure is printed with. unit: of operations.
        memory_unit: of bytes; see `binviz.costs.units`. source: paper, and how sure we are of the rule.
        unconfirmed: quantities whose rule was not found in its source; every figure says so.
        remainder_from: where `remainder` comes from.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "OPs"
    memory_unit: ClassVar[MemoryUnit] = "MB"
    source: ClassVar[str]
    unconfirmed: ClassVar[tuple[Quantity, ...]] = ()
    remainder_from: ClassVar[Provenance] = "assumed"

    @property
    def title(self) -> str:
        """The name, and what of the rule is unconfirmed.

        >>> from binviz import costs
        >>> [costs.rules.get(name).title for name in ("bivit", "reactnet", "bibench")]
        ['bivit', 'reactnet (memory unconfirmed)', 'bibench (unconfirmed)']
        """
        if not self.unconfirmed:
            return self.name
        some = "" if len(self.unconfirmed) == 2 else f"{self.unconfirmed[0]} "
        return f"{self.name} ({some}unconfirmed)"

    def label(self, quantity: Quantity) -> str:
        """What stands beside a figure of that quantity.

        >>> from binviz import costs
        >>> costs.rules.get("reactnet").label("operations"), costs.rules.get("reactnet").label("memory")
        ('rule reactnet', 'rule reactnet, unconfirmed')
        """
        return f"rule {self.name}" + (", unconfirmed" if quantity in self.unconfirmed else "")

    def provenance(self, quantity: Quantity) -> Provenance:
        """Where its figures for the parts of a network come from.

        >>> from binviz import costs
        >>> costs.rules.get("reactnet").provenance("memory")
        'assumed'
        """
        return "assumed" if quantity in self.unconfirmed else "counted"

    def operations(self, part: Part) -> float:
        """Of one input, in `unit`.

        >>> from binviz import costs
        >>> costs.rules.get("bivit").operations(Part("fc", "fc", "Linear", macs=640, weight_bits=1, activation_bits=1))
        10.0
        """
        return part.macs * self.share(part)

    def share(self, part: Part) -> float:
        """What a MAC with operands of these bits costs; 1 for a float one."""
        raise NotImplementedError

    def bytes(self, part: Part) -> float:
        """Memory of a part in a network that has something binary."""
        return part.weights * (part.weight_bits or FLOAT) / 8 + 4 * (part.floats + part.added)

    def float_operations(self, part: Part) -> float:
        """Of the float network's part, in `unit`."""
        return 0.0 if part.estimator else float(part.macs)

    def float_bytes(self, part: Part) -> float:
        """Memory of the float network's part: all of its parameters in four bytes each.

        >>> Rule().float_bytes(Part("fc", "fc", "Linear", weights=80, floats=2))
        328.0
        """
        return 0.0 if part.estimator else 4.0 * (part.floats + (0 if part.tied else part.weights))

    def remainder(self, parts: Iterable[Part]) -> float:
        """Operations beside all parts, in `unit`."""
        return 0.0


def product_bits(part: Part) -> tuple[int, int]:
    """Bits of the weight and of the activation, 32 for a float operand.

    >>> product_bits(Part("fc", "fc", "BinaryLinear", weight_bits=1))
    (1, 32)
    """
    return part.weight_bits or FLOAT, part.activation_bits or FLOAT


_REGISTRY: dict[str, Rule] = {}


def register(rule: type[Rule]) -> type[Rule]:
    """Class decorator that makes a rule available by its name.

    Raises:
        UserError: the name belongs to another rule.
    """
    if rule.name in _REGISTRY and type(_REGISTRY[rule.name]).__qualname__ != rule.__qualname__:
        raise UserError(f"a counting rule named {rule.name!r} exists already; choose another name")
    _REGISTRY[rule.name] = rule()
    return rule


def names() -> list[str]:
    """Names of all rules, sorted.

    >>> from binviz import costs
    >>> {"bert-line", "bivit", "everything"} <= set(costs.rules.names())
    True
    """
    return sorted(_REGISTRY)


def get(name: str | Rule) -> Rule:
    """A rule by name; a Rule is returned as it is.

    Raises:
        UserError: unknown name.

    >>> from binviz import costs
    >>> costs.rules.get("bivit").memory_unit
    'MB'
    """
    if isinstance(name, Rule):
        return name
    if name not in _REGISTRY:
        raise UserError(f"no counting rule named {name!r}; {near(name, names())}")
    return _REGISTRY[name]
