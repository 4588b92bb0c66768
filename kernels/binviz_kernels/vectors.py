"""Vector instructions, spelled out in LLVM's intermediate representation.

Numba compiles loops and leaves it to LLVM to find vector instructions in them. It finds them, but not the best
use of the registers. An *intrinsic* is a function whose body we write ourselves: `builder.add(x, y)` appends one
addition to the program, and if x and y are vectors of 16 integers, a processor with 512-bit registers adds all
16 in one instruction. On another processor LLVM cuts them into what there is. These are the few words that
`sums`, `tile` and `intrinsics` are written in.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

BIT, BYTE, INT16, INT32, INT64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
FLOAT = ir.FloatType()
Value = Any  # an ir.Value: llvmlite has no types that mypy can read


def vector(element: ir.Type, lanes: int) -> ir.VectorType:
    """The type of `lanes` elements side by side in one register."""
    return ir.VectorType(element, lanes)


def constant(type_: ir.VectorType, value: float) -> ir.Constant:
    """The same number in every lane."""
    return ir.Constant(type_, [value] * type_.count)


def broadcast(builder: ir.IRBuilder, scalar: Value, lanes: int) -> Value:
    """A scalar in every lane."""
    type_ = vector(scalar.type, lanes)
    undefined = ir.Constant(type_, ir.Undefined)
    first = builder.insert_element(undefined, scalar, INT32(0))
    return builder.shuffle_vector(first, undefined, constant(vector(INT32, lanes), 0))


def call(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: Value) -> Value:
    """One of LLVM's own functions, for example llvm.ctpop."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def popcount(builder: ir.IRBuilder, x: Value) -> Value:
    """The number of 1 bits of each lane."""
    return call(builder, f"llvm.ctpop.v{x.type.count}i{x.type.element.width}", x.type, x)


def address(builder: ir.IRBuilder, pointer: Value, offset: Value, type_: ir.Type) -> Value:
    """Where, `offset` elements after `pointer`, a value of another type is to be read or written."""
    return builder.bitcast(builder.gep(pointer, [offset]), type_.as_pointer())


def load(builder: ir.IRBuilder, pointer: Value, offset: Value, type_: ir.Type) -> Value:
    """A value of any type, `offset` elements after `pointer`; it need not be aligned."""
    return builder.load(address(builder, pointer, offset, type_), align=1)


def store(builder: ir.IRBuilder, value: Value, pointer: Value, offset: Value) -> None:
    """The same, written."""
    builder.store(value, address(builder, pointer, offset, value.type), align=1)


def masked(builder: ir.IRBuilder, lanes: int, remaining: Value) -> Value:
    """A bit per lane: whether its number is below `remaining` (int64)."""
    numbers = ir.Constant(vector(INT32, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, broadcast(builder, builder.trunc(remaining, INT32), lanes))


def masked_load(
    builder: ir.IRBuilder, pointer: Value, offset: Value, mask: Value, otherwise: ir.Constant
) -> Value:
    """Only the lanes in `mask` are read; the others are those of `otherwise`."""
    type_ = otherwise.type
    place = address(builder, pointer, offset, type_)
    return call(builder, f"llvm.masked.load.{_name(type_)}.p0", type_, place, INT32(4), mask, otherwise)


def masked_store(builder: ir.IRBuilder, value: Value, pointer: Value, offset: Value, mask: Value) -> None:
    """Only the lanes in `mask` are written."""
    place = address(builder, pointer, offset, value.type)
    call(builder, f"llvm.masked.store.{_name(value.type)}.p0", ir.VoidType(), value, place, INT32(4), mask)


def sum_of_lanes(builder: ir.IRBuilder, x: Value) -> Value:
    """The sum of a power of two of lanes, the upper half added to the lower half again and again."""
    lanes = x.type.count
    while lanes > 1:
        lanes //= 2
        lower, upper = (
            builder.shuffle_vector(x, x, ir.Constant(vector(INT32, lanes), list(range(i, i + lanes))))
            for i in (0, lanes)
        )
        x = builder.fadd(lower, upper)
    return builder.extract_element(x, INT32(0))


def prefetch(builder: ir.IRBuilder, pointer: Value, write: bool = False) -> None:
    """Bring the line of memory at an address into the nearest cache, to be read or written soon."""
    nearest, data = INT32(3), INT32(1)
    pointer = builder.bitcast(pointer, BYTE.as_pointer())
    call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, INT32(int(write)), nearest, data)


def loop(
    builder: ir.IRBuilder, start: Value, stop: Value, step: int | Value, state: list[Value],
    body: Callable[[Value, list[Value]], list[Value]],
) -> list[Value]:  # fmt: skip
    """`for k in range(start, stop, step): state = body(k, state)`, its state in registers."""
    before = builder.block
    head, inside, done = (builder.append_basic_block(name) for name in ("loop", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(INT64)
    k.add_incoming(start, before)
    registers = [builder.phi(value.type) for value in state]
    for register, value in zip(registers, state, strict=True):
        register.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", k, stop), inside, done)
    builder.position_at_end(inside)
    after = body(k, list(registers))
    step = INT64(step) if isinstance(step, int) else step
    k.add_incoming(builder.add(k, step), builder.block)
    for register, value in zip(registers, after, strict=True):
        register.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return registers


def data(context: Any, builder: ir.IRBuilder, type_: Any, array: Value, pointer: ir.Type) -> Value:
    """The address of a NumPy array's first element, as a pointer to elements of any type."""
    return builder.bitcast(context.make_array(type_)(context, builder, array).data, pointer.as_pointer())


def _name(type_: ir.VectorType) -> str:
    element = type_.element
    kind = {FLOAT: "f32", ir.DoubleType(): "f64"}.get(element) or f"i{element.width}"
    return f"v{type_.count}{kind}"
