"""Layers in bits against torch's formats, measured on the machine that serves the page; no Streamlit here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

from binviz_kernels import forms
from torch import nn

from binviz import plots
from binviz.bench import crossover, machine, records, roofline
from binviz.bench.pair import Timed
from binviz.bench.pair import measure as measure_pair
from binviz.bench.timing import Spread
from binviz.errors import UserError
from binviz.tasks import Example
from binviz.words import percent
from binviz.words import times as times_of

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
    "Disturbed: something else ran meanwhile, because times were not steady at {share} of the sizes."
)
DISTURBED = (
    "Disturbed: something else ran on this machine meanwhile, because the limit, which is measured again and again, "
    "was not the same all the time. Measure once more when it is idle."
)

_turn = Lock()


class Busy(UserError):
    """Another visitor measures."""


class Arithmetic(NamedTuple):
    """How one form of the kernels multiplies bits.

    register: its bits. products: that it makes at once. instructions: that this takes. how: in words.

    >>> round(ARITHMETIC["avx2"].times, 1)
    10.7
    """

    register: int
    products: int
    instructions: int
    how: str

    @property
    def times(self) -> float:
        """Products of bits an instruction, over those of float32, which one instruction multiplies and adds."""
        return self.products / self.instructions / (self.register / 32)


COUNTING = "bits need three: XOR, popcount, addition"
LOOKING_UP = (
    "bits are looked up here, as this processor cannot count the ones of a register: four products of each of two rows "
    "are one lookup of a byte, and every three lookups take six operations more"
)
#: Form of the kernels (`binviz_kernels.forms`) -> its arithmetic.
ARITHMETIC = {
    "avx512": Arithmetic(512, 512, 3, COUNTING),
    "avx512bw": Arithmetic(512, 1536, 9, LOOKING_UP),
    "avx2": Arithmetic(256, 768, 9, LOOKING_UP),
    "neon": Arithmetic(128, 128, 3, "bits need three: XOR, the ones of every byte, addition"),
    "portable": Arithmetic(64, 64, 3, f"{COUNTING}, in words of 64 bits and not in vectors"),
}


class Race(NamedTuple):
    """What was measured: the chosen layer, the same with other numbers of rows, memory, on what and when.

    bandwidth: None in records, which lack it. form: of the kernels. recorded: whether it is an accepted record.
    at: when, local time; "" in records.
    """

    chosen: roofline.Contest
    curve: list[roofline.Contest]
    bandwidth: float | None
    machine: str
    form: str = forms.CHOSEN.name
    recorded: bool = False
    at: str = ""

    def answers(self, layer: str, rows: int) -> bool:
        """Whether this is the answer to that question, one of `LAYERS` and a number of rows; if not, grey it out."""
        return (self.chosen.inputs, self.chosen.outputs, self.chosen.rows) == (*LAYERS[layer], rows)

    @property
    def where(self) -> str:
        """On which machine, for a heading."""
        return f"recorded on {self.machine}" if self.recorded else f"measured here at {self.at}"

    @property
    def limit(self) -> float:
        """Operations on bits per second that this core's registers can make: the best of all rounds."""
        return max(contest.limit.high for contest in (self.chosen, *self.curve))

    @property
    def float_limit(self) -> float | None:
        """The same of float32; None where it was not measured."""
        limits = [contest.float_limit for contest in (self.chosen, *self.curve)]
        return max((limit.high for limit in limits if limit), default=None)

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
        at = datetime.now().isoformat(" ", "seconds")
        return Race(chosen, curve, roofline.bandwidth(rounds=5), on(), at=at)


def recorded_races() -> dict[str, dict[tuple[str, int], Race]]:
    """Machine -> (layer, rows) -> the race in its accepted record; machines whose kernels are as here first.

    >>> [race.recorded for race in next(iter(recorded_races().values())).values()][:1]
    [True]
    """
    found = {name: _races(record) for name, record in records.shipped().items()}
    like_here = {
        name: any(race.form == forms.CHOSEN.name for race in races.values()) for name, races in found.items()
    }
    return dict(sorted(found.items(), key=lambda pair: not like_here[pair[0]]))


def recorded_race(layer: str, rows: int) -> Race | None:
    """The race to show before anything is measured here; None where no record has that question.

    >>> recorded_race("768 → 768", 128).answers("768 → 768", 128), recorded_race("384 → 384", 8)
    (True, None)
    """
    return next((races[layer, rows] for races in recorded_races().values() if (layer, rows) in races), None)


def _races(record: dict[str, Any]) -> dict[tuple[str, int], Race]:
    """The layers of a record that `LAYERS` has, on one thread."""
    limit = Spread(*(record["limit"][name] for name in Spread._fields))
    contests = [
        roofline.Contest(
            each["rows"],
            each["inputs"],
            each["outputs"],
            {name: Spread(**seconds) for name, seconds in each["seconds"].items()},
            {name: Spread(**ratio) for name, ratio in each["ratio"].items()},
            limit,
            None,
        )
        for each in record["layers"]
        if each["threads"] == 1
    ]
    names = {shape: name for name, shape in LAYERS.items()}
    torch_version = record["machine"]["packages"].get("torch", "")
    machine = f"{records.machine(record)}, torch {torch_version}"
    return {
        (names[each.inputs, each.outputs], each.rows): Race(
            each,
            [other for other in contests if _shape(other) == _shape(each)],
            None,
            machine,
            record["form"],
            True,
        )
        for each in contests
        if _shape(each) in names
    }


def _shape(contest: roofline.Contest) -> tuple[int, int]:
    return contest.inputs, contest.outputs


def pair(floats: nn.Module, bits: nn.Module, example: Example, locks: Sequence[Lock] = ()) -> Timed | None:
    """A float model and a packed one on an example, in turns; None while another visitor measures for long.

    Args:
        locks: to hold meanwhile; taken when it is this visitor's turn, so that nobody waits for who waits.
    """
    try:
        with turn(wait=2), ExitStack() as held:
            for lock in locks:
                held.enter_context(lock)
            return measure_pair(floats, bits, example.inputs)
    except Busy:
        return None


@contextmanager
def turn(wait: float = 0) -> Iterator[None]:
    """One measurement at a time.

    Args:
        wait: seconds for which one may wait for it.

    Raises:
        Busy: another visitor measures; two at once would measure each other.
    """
    if not _turn.acquire(timeout=wait):
        raise Busy("somebody else is measuring on this machine; try again when they are done")
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
        "rows by memory (2 and 4 bits by torch's rounding), large layers by arithmetic. The formats do not compute the "
        "same: fewer bits say less. Each cell names the fastest and how many times longer the next one takes; hover "
        f"for all. {missing} Measured on {seen.machine}, one thread."
    )


def on() -> str:
    """The machine in one line."""
    about = machine.describe()
    flags = ", ".join(about["flags"])
    return f"{about['cpu']} ({flags}), torch {about['packages']['torch']}"


def ratios(seen: Race) -> tuple[dict[str, float], dict[str, list[float]]]:
    """What theory says and what was measured, as `plots.ratios` takes them; nothing measured where it was disturbed."""
    theory = {"papers' operations": 64.0, "bytes of weights": 32.0}
    if seen.disturbed:
        return theory, {}
    if seen.float_limit:
        theory["this core's limits"] = seen.limit / seen.float_limit
    return theory, {f"torch {name} / ours": list(times) for name, times in seen.chosen.ratio.items()}


def points(seen: Race) -> tuple[list[plots.Point], dict[str, float]]:
    """Every layer that was measured, and the limits that are known, as `plots.roofline` takes them."""
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
        if name in contest.seconds
    ]
    limits = {"1-bit": seen.limit, "float32": seen.float_limit}
    return found, {name: limit for name, limit in limits.items() if limit}


def times(seen: Race) -> dict[str, tuple[str, str]]:
    """What each contestant took, and how much longer than ours; for reading. Nothing where it was disturbed."""
    if seen.disturbed:
        return {}
    share = seen.chosen.operations / seen.chosen.seconds["binviz"].median / seen.limit
    shown = {
        "1-bit layer, packing included": (_time(seen.chosen, "binviz"), _reached(share, "this core's limit"))
    }
    for name, ratio in seen.chosen.ratio.items():
        shown[f"torch {name}"] = (_time(seen.chosen, name), f"{times_of(ratio.median)} times ours")
    return shown


def _reached(share: float, of: str) -> str:
    """How much of a limit; more than all of it says that the limit was not one."""
    return f"{percent(share, 0)} of {of}" if share <= 1 else f"no less than {of}"


def _time(contest: roofline.Contest, name: str) -> str:
    seconds = contest.seconds[name].median
    return f"{1e3 * seconds:.2f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.1f} µs"


def explanation(seen: Race) -> str:
    """Where 1/64 goes, with the numbers of this measurement and the form of the kernels that made it."""
    if seen.disturbed:
        return DISTURBED
    chosen, form = seen.chosen, ARITHMETIC[seen.form]
    said = [
        f"Layer: {chosen.rows} rows, {chosen.inputs} → {chosen.outputs}, floats in and floats out.",
        f"Where 64 goes: one instruction multiplies and adds the {form.register // 32} floats of {form.register} bits, "
        f"while {form.how}. So {form.products} products of bits take {form.instructions} instructions, and by their "
        f"number alone bits are {times_of(form.times)} times as fast (kernels: {seen.form}).",
    ]
    bits = seen.limit / 1e12
    if seen.float_limit:
        floats = seen.float_limit / 1e12
        attained = chosen.operations / chosen.seconds["float32"].median / seen.float_limit
        said.append(
            f"On registers alone this core makes {bits:.2f} T operations a second on bits and {floats:.3f} T on "
            f"float32, {times_of(bits / floats)} times as many: that is the limit. Torch's float32 layer reaches "
            f"{_reached(attained, 'its own limit')}; where that is little, the measured ratio is above the limits'."
        )
    else:
        said.append(f"On registers alone that core makes {bits:.2f} T operations a second on bits.")
    said.append("bfloat16 and int8 have faster instructions than float32.")
    memory = "With one row each weight is used once, so a layer runs at the speed of its memory"
    if seen.bandwidth:
        memory += " (the slanted line, from 64 MiB; a layer that stays in the cache may lie above it)"
    said.append(f"{memory} or of the call from Python. The numbers beside the points are rows.")
    said.append(f"{'Recorded' if seen.recorded else 'Measured'} on {seen.machine}, one thread.")
    return " ".join(said)
