"""Layers in bits against torch's formats, measured on the machine that serves the page; no Streamlit here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

from binviz import plots
from binviz.bench import crossover, machine, records, roofline
from binviz.errors import UserError

#: Inputs -> outputs: of BERT-base, and of the bundled text model.
LAYERS = {
    f"{inputs} → {outputs}": (inputs, outputs)
    for inputs, outputs in ((768, 768), (768, 3072), (3072, 768), (384, 384), (384, 1536), (1536, 384))
}
ROWS = (128, 1, 8, 32, 512)
#: Rows of the smaller measurements that make the roofline's curves.
CURVE = (1, 8, 64, 512)
KINDS = {"binviz": "1-bit", "float32": "float32", "bfloat16": "bfloat16", "int8": "int8"}

CLAIM = (
    "Papers count one operation for a word of 64 one-bit products, XNOR and popcount together. So a network whose "
    "products are all 1-bit has **1/64 of the operations**, and its weights have 1/32 of the bytes. Both are true, and "
    "neither is a time: processors do not multiply floats one by one either."
)
#: Formats in the race for the map. One bit says least and is the fastest nearly everywhere.
AMONG = {
    "all": crossover.FORMATS,
    "two bits and more": crossover.FORMATS[1:],
    "four bits and more": crossover.FORMATS[2:],
    "one bit against torch's": crossover.FORMATS[:1] + crossover.FORMATS[3:],
}
MAP_UNSTEADY = (
    "Disturbed: something else ran meanwhile, because times were not steady at {share:.0%} of the sizes."
)
DISTURBED = (
    "Disturbed: something else ran on this machine meanwhile, because the limit, which is measured again and again, "
    "was not the same all the time. Measure once more when it is idle."
)

_turn = Lock()


class Race(NamedTuple):
    """What was measured: the chosen layer, the same with other numbers of rows, memory, and on what."""

    chosen: roofline.Contest
    curve: list[roofline.Contest]
    bandwidth: float
    machine: str

    @property
    def limit(self) -> float:
        """Operations on bits per second that this core's registers can make: the best of all rounds."""
        return max(contest.limit.high for contest in (self.chosen, *self.curve))

    @property
    def float_limit(self) -> float:
        """The same of float32."""
        return max(contest.float_limit.high for contest in (self.chosen, *self.curve))

    @property
    def disturbed(self) -> bool:
        """Whether something else ran meanwhile."""
        return roofline.disturbed([self.chosen, *self.curve])


def race(layer: str, rows: int, tell: Callable[[float, str], object]) -> Race:
    """Measure one of the `LAYERS` on one thread, in a few seconds.

    Args:
        layer: its name.
        rows: how many activations it gets at once.
        tell: called with the share that is done, and with what comes next.

    Raises:
        UserError: another visitor measures.
    """
    with turn():
        inputs, outputs = LAYERS[layer]
        tell(0.05, f"{rows} rows, {layer}, in turns with three of torch's formats")
        chosen = roofline.measure(rows, inputs, outputs, rounds=16)
        curve = []
        for index, others in enumerate(CURVE):
            tell(0.4 + 0.12 * index, f"{others} rows, {layer}")
            curve.append(roofline.measure(others, inputs, outputs, rounds=6))
        tell(0.9, "64 MiB from memory to memory")
        return Race(chosen, curve, roofline.bandwidth(rounds=5), on())


@contextmanager
def turn() -> Iterator[None]:
    """One measurement at a time.

    Raises:
        UserError: another visitor measures; two at once would measure each other.
    """
    if not _turn.acquire(blocking=False):
        raise UserError("somebody else is measuring on this machine; try again when they are done")
    try:
        yield
    finally:
        _turn.release()


class Map(NamedTuple):
    """What every format took at every size (see `binviz.bench.crossover`), and on which machine."""

    found: dict[str, Any]
    machine: str


def measure_map(tell: Callable[[float, str], object]) -> Map:
    """Measure a map on one thread, in about a minute.

    Args:
        tell: called with the share that is done, and with what comes next.

    Raises:
        UserError: another visitor measures.
    """
    with turn():
        return Map(crossover.measure(tell=tell), on())


def accepted_maps() -> dict[str, Map]:
    """Machine -> the map in its accepted record; records made before there were maps have none."""
    return {
        name: Map(record["crossover"], records.machine(record))
        for name, record in records.shipped().items()
        if "crossover" in record
    }


def sizes(seen: Map, among: str) -> list[plots.Size]:
    """A map as `plots.crossover` takes it, among some of the formats that were measured."""
    return [
        plots.Size(
            cell["rows"],
            cell["size"],
            {name: seconds for name, seconds in cell["seconds"].items() if name in AMONG[among]},
        )
        for cell in seen.found["cells"]
    ]


def about_map(seen: Map) -> str:
    """How to read it, what is missing, and what it was measured on."""
    missing = " ".join(f"Without {name}: {why}." for name, why in seen.found["left_out"].items())
    return (
        "Floats go in and come out, packing and rounding included. Narrow layers are ruled by what a call costs, few "
        "rows by memory, large layers by arithmetic. The formats do not compute the same: fewer bits say less. Each "
        f"cell names the fastest and how many times longer the next one takes; hover for all. {missing} "
        f"Measured on {seen.machine}, one thread."
    )


def on() -> str:
    """The machine in one line."""
    about = machine.describe()
    flags = ", ".join(about["flags"])
    return f"{about['cpu']} ({flags}), torch {about['packages']['torch']}"


def ratios(seen: Race) -> tuple[dict[str, float], dict[str, list[float]]]:
    """What theory says and what was measured, as `plots.ratios` takes them."""
    theory = {
        "papers' operations": 64.0,
        "bytes of weights": 32.0,
        "this core's limits": seen.limit / seen.float_limit,
    }
    return theory, {f"torch {name} / ours": list(times) for name, times in seen.chosen.ratio.items()}


def points(seen: Race) -> tuple[list[plots.Point], dict[str, float]]:
    """Every layer that was measured, and the two limits, as `plots.roofline` takes them."""
    found = [
        plots.Point(
            KINDS[name],
            str(contest.rows),
            contest.operations,
            roofline.bytes_moved(name, contest.rows, contest.inputs, contest.outputs),
            contest.seconds[name].median,
        )
        for name in ("binviz", "float32", "bfloat16")
        for contest in seen.curve
    ]
    return found, {"1-bit": seen.limit, "float32": seen.float_limit}


def times(seen: Race) -> dict[str, tuple[str, str]]:
    """What each contestant took, and how much longer than ours; for reading."""
    share = seen.chosen.operations / seen.chosen.seconds["binviz"].median / seen.limit
    shown = {
        "1-bit layer, packing included": (_time(seen.chosen, "binviz"), f"{share:.0%} of this core's limit")
    }
    for name, ratio in seen.chosen.ratio.items():
        shown[f"torch {name}"] = (_time(seen.chosen, name), f"{ratio.median:.1f} times ours")
    return shown


def _time(contest: roofline.Contest, name: str) -> str:
    seconds = contest.seconds[name].median
    return f"{1e3 * seconds:.2f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.1f} µs"


def explanation(seen: Race) -> str:
    """Where 1/64 goes, with the numbers of this measurement, and what it was measured on."""
    chosen = seen.chosen
    bits, floats = seen.limit / 1e12, seen.float_limit / 1e12
    attained = chosen.operations / chosen.seconds["float32"].median / seen.float_limit
    width = 32 * roofline.LANES
    return (
        f"Layer: {chosen.rows} rows, {chosen.inputs} → {chosen.outputs}, floats in and floats out. Where 64 goes: a "
        f"register of {width} bits holds {width} products of bits, or {roofline.LANES} of float32, so 64 becomes 32. "
        "One float instruction multiplies and adds at once, while bits need three: XOR, popcount, addition. On "
        f"registers alone this core makes {bits:.2f} T operations a second on bits and {floats:.3f} T on float32, "
        f"{bits / floats:.1f} times as many: that is the limit. Torch's float32 layer reaches {attained:.0%} of its "
        "own limit; where that is little, the measured ratio is above that of the limits. bfloat16 and int8 have "
        "faster instructions than float32. With one row each weight is used once, so a layer runs at the speed of its "
        "memory (the slanted line, from 64 MiB; a layer that stays in the cache may lie above it) or of the call "
        "from Python. The numbers beside the points are rows. "
        f"Measured on {seen.machine}, one thread."
    )
