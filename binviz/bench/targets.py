"""What binviz is to reach on any machine, and what a run of the benchmark reached.

Ratios are medians; where a target speaks of several shapes or numbers of threads, the worst of them counts.
"""

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, NamedTuple

Record = dict[str, Any]
#: What two threads must gain, and a float32 layer of torch's for that to be asked.
TWO_THREADS = 1.75
Values = Iterable[tuple[float, str]]  # measured, and where


class Target(NamedTuple):
    """One row.

    what: in words. must, aim: the two marks. values: what a record of `binviz.bench.run` has of it. unit: "%", "x" or
    "s". least: whether the marks are the least that is wanted, or the most.
    """

    what: str
    must: float
    aim: float
    values: Callable[[Record], Values]
    unit: str = "x"
    least: bool = True


class Verdict(NamedTuple):
    """A target beside the worst that was measured.

    value, where: None and empty if nothing was. reached: "aim", "must", "missed" or "not measured". lacking: the share
    of the next mark that is not reached, or None.
    """

    target: Target
    value: float | None
    where: str
    reached: str
    lacking: float | None


def large_layers(kind: str) -> Callable[[Record], Values]:
    """Layers of 128 rows and more: the time of one of torch's formats over ours.

    >>> layer = {"rows": 128, "inputs": 768, "outputs": 768, "threads": 1, "ratio": {"int8": {"median": 2.5}}}
    >>> large_layers("int8")({"layers": [layer, layer | {"rows": 1}]})
    [(2.5, '128 x 768 -> 768, 1 thread')]
    """
    return lambda record: [
        (line["ratio"][kind]["median"], _layer(line))
        for line in record.get("layers", [])
        if line["rows"] >= 128 and kind in line["ratio"]
    ]


def one_row(record: Record) -> Values:
    """The layer 768 -> 768 of one row: float32's time over ours."""
    return [
        (line["ratio"]["float32"]["median"], _layer(line))
        for line in record.get("layers", [])
        if (line["rows"], line["inputs"], line["outputs"]) == (1, 768, 768)
    ]


def products(record: Record) -> Values:
    """Products of 128 rows and more: their shares of the limit.

    >>> products({"products": [{"rows": 128, "inputs": 768, "outputs": 768, "share": {"median": 0.95}}]})
    [(0.95, '128 x 768 -> 768')]
    """
    return [
        (line["share"]["median"], _shape(line))
        for line in record.get("products", [])
        if line["rows"] >= 128 and line["inputs"] >= 768
    ]


def without_avx512(record: Record) -> list[dict[str, Any]]:
    """The products of a processor that has none, or was kept from it."""
    if _avx2_only(record):
        return record.get("products", [])
    return record.get("restricted", {}).get("products", [])


def over_counting(record: Record) -> Values:
    """Products without AVX-512: over the limit of XOR and popcount."""
    return [(line["counting"]["median"], _shape(line)) for line in without_avx512(record)]


def several_bits(bits: str, restricted: bool) -> Callable[[Record], Values]:
    """The time of activations of several bits over that of one, without AVX-512 or on a processor that counts words.

    Those of two bits include ternary ones.
    """

    def values(record: Record) -> Values:
        counts = "avx512_vpopcntdq" in _flags(record)
        lines = without_avx512(record) if restricted else record.get("products", []) if counts else []
        names = {"2": ("2", "ternary")}.get(bits, (bits,))
        return [
            (line["bits"][name]["median"], f"{_shape(line)}, ternary" if name == "ternary" else _shape(line))
            for line in lines
            for name in names
            if name in line.get("bits", {})
        ]

    return values


def distances(record: Record) -> Values:
    """At each shape the better of the other libraries: its time over ours.

    >>> ratios = {"numkong": {"median": 1.5}, "faiss": {"median": 1.25}}
    >>> distances({"distances": [{"rows": 64, "others": 1000, "bits": 256, "ratio": ratios}]})
    [(1.25, '64 x 1000, 256 bits')]
    """
    return [
        (min(r["median"] for r in line["ratio"].values()), f"{line['rows']} x {line['others']}, {line['bits']} bits")
        for line in record.get("distances", [])
        if line["ratio"]
    ]  # fmt: skip


def bert(kind: str, restricted: bool = False) -> Callable[[Record], Values]:
    """BERT-base, one text: the time of one of torch's formats over ours."""
    return lambda record: [
        (line["ratio"][kind]["median"], _threads(line))
        for line in (record.get("restricted", {}) if restricted else record).get("models", [])
        if _bert_of_one_bit(line) and kind in line["ratio"]
    ]


def avx2_only(kind: str) -> Callable[[Record], Values]:
    """BERT-base, one text, one thread, on a processor with AVX2 and without AVX-512: another one's time over ours."""
    return lambda record: [
        (line["ratio"][kind]["median"], _threads(line))
        for line in (*record.get("models", []), *record.get("peers", {}).get("lines", []))
        if _bert_of_one_bit(line) and line["threads"] == 1 and kind in line["ratio"] and _avx2_only(record)
    ]  # fmt: skip


def two_threads(restricted: bool = False) -> Callable[[Record], Values]:
    """BERT-base, one text: one thread's time over two threads', where a float32 layer of torch's gains enough."""

    def values(record: Record) -> Values:
        gains = [gain for gain in record.get("two_threads_over_one", []) if gain is not None]
        ours = {
            line["threads"]: line["seconds"]["binviz"]["median"]
            for line in (record.get("restricted", {}) if restricted else record).get("models", [])
            if _bert_of_one_bit(line)
        }
        if not {1, 2} <= ours.keys() or not gains or median(gains) < TWO_THREADS:
            return []
        return [(ours[1] / ours[2], f"torch's float32 layer {median(gains):.3g}")]

    return values


def training(record: Record) -> Values:
    """A binary model's step, without the teacher that distillation adds: its time over the float model's.

    >>> training({"steps": [{"threads": 2, "ratio": {"binary": {"median": 1.25}}}]})
    [(1.25, '2 threads')]
    """
    return [(line["ratio"]["binary"]["median"], _threads(line)) for line in record.get("steps", [])]


def importing(record: Record) -> Values:
    """Seconds of the import.

    >>> importing({"imports": {"median": 0.5}}), importing({})
    ([(0.5, '')], [])
    """
    return [(record["imports"]["median"], "")] if "imports" in record else []


TARGETS = (
    Target("1-bit product, 128 rows and more: share of the limit", 0.85, 0.97, products, "%"),
    Target("the same without AVX-512: over the limit of XOR and popcount", 1.35, 1.6, over_counting),
    Target("2-bit, ternary activations over 1-bit, without AVX-512", 1.15, 1, several_bits("2", True), least=False),
    Target("4-bit activations over 1-bit, without AVX-512", 2, 1.4, several_bits("4", True), least=False),
    Target("2-bit, ternary activations over 1-bit, words counted", 1.5, 1.2, several_bits("2", False), least=False),
    Target("4-bit activations over 1-bit, words counted", 2.5, 1.6, several_bits("4", False), least=False),
    Target("layer with packing, 128 rows and more: float32 over ours", 18, 21, large_layers("float32")),
    Target("the same, bfloat16 over ours", 8.5, 10, large_layers("bfloat16")),
    Target("the same, dynamic int8 over ours", 5, 5.5, large_layers("int8")),
    Target("layer 768 -> 768, one row: float32 over ours", 8, 15, one_row),
    Target("Hamming distances: the better of NumKong and faiss over ours", 1.4, 2, distances),
    Target("BERT-base bit-w1a1, one text: float32 over ours", 15, 22, bert("float32")),
    Target("the same, dynamic int8 over ours", 4, 6.5, bert("int8")),
    Target("the same, nobody with AVX-512: float32 over ours", 5, 8, bert("float32", restricted=True)),
    Target("the same, one thread, AVX2-only processor: float32 over ours", 12, 15, avx2_only("float32")),
    Target("the same, onnxruntime's dynamic int8 over ours", 5, 6.5, avx2_only("onnxruntime int8")),
    Target("BERT-base bit-w1a1, one text: one thread over two", TWO_THREADS, 1.9, two_threads()),
    Target("the same, nobody with AVX-512", TWO_THREADS, 1.9, two_threads(restricted=True)),
    Target("training step of a binary model over its float model's", 1.5, 1.2, training, least=False),
    Target("import binviz beside torch", 0.5, 0.2, importing, "s", least=False),
)  # fmt: skip


def verdicts(record: Record) -> list[Verdict]:
    """Every target beside what a record says.

    >>> slow = verdicts({"imports": {"median": 0.4}})[-1]
    >>> slow.reached, round(slow.lacking, 2), verdicts({})[-1].reached
    ('must', 1.0, 'not measured')
    """
    return [_verdict(target, list(target.values(record))) for target in TARGETS]


def _verdict(target: Target, values: list[tuple[float, str]]) -> Verdict:
    if not values:
        return Verdict(target, None, "", "not measured", None)
    value, where = min(values) if target.least else max(values)
    for mark, reached in ((target.must, "missed"), (target.aim, "must")):
        lacking = (mark - value if target.least else value - mark) / mark
        if lacking > 0:
            return Verdict(target, value, where, reached, lacking)
    return Verdict(target, value, where, "aim", None)


def _bert_of_one_bit(line: dict[str, Any]) -> bool:
    return (line["model"], line["batch"], line.get("recipe", "bit-w1a1")) == ("BERT-base", 1, "bit-w1a1")


def _shape(line: dict[str, Any]) -> str:
    return f"{line['rows']} x {line['inputs']} -> {line['outputs']}"


def _flags(record: Record) -> list[str]:
    return record.get("machine", {}).get("flags", [])


def _avx2_only(record: Record) -> bool:
    flags = _flags(record)
    return "avx2" in flags and "avx512f" not in flags


def _threads(line: dict[str, Any]) -> str:
    return f"{line['threads']} thread" + "s" * (line["threads"] > 1)


def _layer(line: dict[str, Any]) -> str:
    return f"{line['rows']} x {line['inputs']} -> {line['outputs']}, {_threads(line)}"
