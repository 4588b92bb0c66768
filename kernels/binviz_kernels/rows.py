"""The rows of a tile on their way from sums to what is written."""

from collections.abc import Callable, Iterator

from binviz_kernels.vectors import Value


class Rows:
    """Some rows, each a register for each of its neighbouring outputs, emitted where and when they are asked for.

    Where registers are few, the program then need not hold all rows while it writes the first.

    Args:
        height: how many there are.
        row: emits one.

    >>> list(Rows(2, lambda i: [i, i + 1]).each(lambda x, factor: x * factor, [10, 100]))
    [[0, 100], [10, 200]]
    """

    def __init__(self, height: int, row: Callable[[int], list[Value]]):
        self.height, self.row = height, row

    @classmethod
    def of(cls, registers: list[Value], height: int) -> "Rows":
        """Registers that are there, row by row."""
        width = len(registers) // height
        return cls(height, lambda i: registers[i * width : (i + 1) * width])

    def __iter__(self) -> Iterator[list[Value]]:
        return map(self.row, range(self.height))

    def here(self) -> "Rows":
        """The same, all emitted here: once, though the program goes different ways from here on."""
        rows = list(self)
        return Rows(self.height, rows.__getitem__)

    def each(self, operation: Callable[..., Value], *terms: list[Value]) -> "Rows":
        """Apply it to every register, and to the terms of its column."""
        return Rows(self.height, lambda i: list(map(operation, self.row(i), *terms)))
