"""A record of the benchmark as tables for a terminal."""

from collections.abc import Callable, Iterable
from typing import Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from binviz.bench.crossover import MOST_UNSTEADY
from binviz.bench.machine import NO_BFLOAT16
from binviz.bench.targets import Verdict, verdicts

Record = dict[str, Any]
MARKS = {
    "%": "{:.0%}".format,
    "x": "{:.3g}".format,
    "s": lambda seconds: f"{seconds:.3f} s",
}  # fmt: skip
COLOURS = {"aim": "green", "must": "green", "missed": "red", "not measured": "dim"}


def limit(record: Record) -> Table:
    """The machine's own limits."""
    ways = record["limit"].get("ways") or {"counting": record["limit"]}
    rows = [
        [f"{record['form']}, {name}", _spread({name: value / 1e12 for name, value in speed.items()})]
        for name, speed in ways.items()
    ]
    return _table(
        "The limit on registers, one thread: XOR, popcount and addition; or lookups and additions",
        ["instructions", "T operations a second"],
        rows,
    )


def products(record: Record) -> Table:
    """Shares of the limit, and what more bits of an activation cost."""
    return _products(record["products"], "Products of bits, one thread")


def _products(lines: list[dict[str, Any]], title: str) -> Table:
    rows = [
        [
            f"{line['rows']} x {line['inputs']} -> {line['outputs']}", _time(line["seconds"]), _percent(line["share"]),
            *(_spread(line["bits"][bits]) if bits in line.get("bits", {}) else "-" for bits in ("2", "ternary", "4")),
        ]
        for line in lines
    ]  # fmt: skip
    return _table(
        title, ["shape", "time", "share of the limit", "2 bits over 1", "ternary", "4 bits over 1"], rows
    )


def distances(record: Record) -> Table:
    """Hamming distances beside other libraries'."""
    rows = [
        [f"{line['rows']} x {line['others']}, {line['bits']} bits", *_contest(line, ("numkong", "faiss"))]
        for line in record["distances"]
    ]
    return _table(
        "All Hamming distances, one thread; theirs over ours", ["codes", "ours", "numkong", "faiss"], rows
    )


def layers(record: Record) -> Table:
    """Layers beside torch's."""
    lines = record["layers"]
    return _beside_torch(
        "Linear layers with packing; torch's time over ours",
        ["threads", "layer", "rows"],
        [[line["threads"], f"{line['inputs']} -> {line['outputs']}", line["rows"]] for line in lines],
        lines,
    )


def models(record: Record, title: str = "Whole models; torch's time over ours") -> Table:
    """Models beside torch's."""
    columns, lines = ["threads", "model", "recipe", "batch"], record["models"]
    return _beside_torch(title, columns, [[line[name] for name in columns] for line in lines], lines)


def restricted(record: Record) -> Group:
    """The same where nobody has AVX-512."""
    part = record["restricted"]
    settings = ", ".join(f"{name}={value}" for name, value in part["restricted"].items())
    table = models(part, "The same where nobody uses AVX-512")
    table.caption = (
        f"restricted by {settings}. onnxruntime and OpenVINO (its layers too run on MLAS) ask the processor alone: "
        "nothing keeps them from AVX-512, and so they are not in this table."
    )
    lines = part.get("products", [])
    return Group(table, *([_products(lines, "Products where nobody uses AVX-512")] if lines else []))


def peers(record: Record) -> Table:
    """What a user would pick instead, a line for each contestant."""
    part = record["peers"]
    lines, differences = part["lines"], part["largest_difference"]
    columns = ["who", "largest difference"]
    for line in lines:
        columns += [f"{line['threads']} thread{'s' * (line['threads'] > 1)}", "over ours"]
    names = dict.fromkeys(name for line in lines for name in line["seconds"])
    rows = [
        [name, f"{differences[name]:.2g}" if name in differences else "",
         *(text for line in lines for text in _of(name, line))]
        for name in names
    ]  # fmt: skip
    model, tokens = lines[0]["model"], lines[0]["tokens"]
    title = f"{model}, one text of {tokens} tokens, in other libraries; ours is {lines[0]['recipe']} on bits"
    table = _table(title, columns, rows)
    about = ["Difference: from torch's answers, as a share of the largest logit."]
    if "bnn-lab" in names:
        about.append(
            "bnn-lab: its layers on bits, attention in floats, compared with the same signs in torch."
        )
    table.caption = escape(" ".join(about + [f"{name}: {why}." for name, why in part["left_out"].items()]))
    return table


def crossover(record: Record) -> Table:
    """The fastest format at every size, and how far it is ahead."""
    part = record["crossover"]
    cells = {(cell["rows"], cell["size"]): _winner(cell["seconds"]) for cell in part["cells"]}
    sizes = sorted({size for _, size in cells})
    rows = [
        [rows, *(cells.get((rows, size), "") for size in sizes)]
        for rows in sorted({rows for rows, _ in cells})
    ]
    title = "Who is fastest: a layer K -> K of M rows, one thread, floats in and out; times ahead of the next"
    table = _table(title, ["M", *(f"K = {size}" for size in sizes)], rows)
    about = ["2 and 4 bits are rounded by torch, which takes longest where rows are few."]
    about += [f"{name} left out: {why}." for name, why in part["left_out"].items()]
    if part["unsteady"] > MOST_UNSTEADY:
        about.append(f"Times were unsteady at {part['unsteady']:.0%} of the sizes: something else ran.")
    table.caption = escape(" ".join(about))
    return table


def steps(record: Record) -> Table:
    """Training steps."""
    rows = [
        [line["threads"], f"{line['batch']} x {line['tokens']}", _time(line["seconds"]["float"]),
         *(_spread(line["ratio"][kind]) for kind in ("binary", "distilled"))]
        for line in record["steps"]
    ]  # fmt: skip
    return _table(
        "A training step of MiniLM's size, over the float model's",
        ["threads", "batch", "float model", "binary", "with its teacher"],
        rows,
    )


def targets(record: Record) -> Table:
    """Every target beside what was measured."""
    return _table(
        "Targets beside the worst that was measured",
        ["what", "must", "aim", "measured", "at", "verdict"],
        [_target(verdict) for verdict in verdicts(record)],
    )


TORCH = ("float32", "bfloat16", "int8")
TABLES: dict[str, Callable[[Record], Table | Group]] = {
    "limit": limit,
    "products": products,
    "distances": distances,
    "layers": layers,
    "models": models,
    "restricted": restricted,
    "peers": peers,
    "crossover": crossover,
    "steps": steps,
}


def _table(title: str, columns: list[str], rows: Iterable[list[Any]]) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table


def _beside_torch(title: str, columns: list[str], about: list[list[Any]], lines: list[Record]) -> Table:
    """Our times and torch's over them, in the formats that were measured."""
    formats = [name for name in TORCH if any(name in line["ratio"] for line in lines)]
    rows = [[*what, *_contest(line, formats)] for what, line in zip(about, lines, strict=True)]
    table = _table(title, [*columns, "ours", *formats], rows)
    if lines and "bfloat16" not in formats:
        table.caption = f"bfloat16 is left out: {NO_BFLOAT16}."
    return table


def _target(verdict: Verdict) -> list[str]:
    target, value = verdict.target, verdict.value
    show = MARKS[target.unit]
    text = {
        "aim": "aim reached",
        "must": f"must reached; {verdict.lacking or 0:.0%} short of the aim",
        "missed": f"missed by {verdict.lacking or 0:.0%}",
        "not measured": "not measured",
    }[verdict.reached]
    return [
        target.what, show(target.must), show(target.aim), "" if value is None else show(value), verdict.where,
        f"[{COLOURS[verdict.reached]}]{text}[/]",
    ]  # fmt: skip


def _contest(line: Record, others: Iterable[str]) -> list[str]:
    ours = _time(line["seconds"]["binviz"])
    return [ours, *(_spread(line["ratio"][name]) if name in line["ratio"] else "" for name in others)]


def _of(name: str, line: Record) -> tuple[str, str]:
    """A contestant's time, and how many times ours."""
    if name not in line["seconds"]:
        return "", ""
    return _time(line["seconds"][name]), _spread(line["ratio"][name]) if name in line["ratio"] else ""


def _winner(seconds: dict[str, float]) -> str:
    (first, best), *others = sorted(seconds.items(), key=lambda pair: pair[1])
    return f"{first} {others[0][1] / best:.3g}" if others else first


def _time(spread: dict[str, float]) -> str:
    return (
        f"{spread['median'] * 1e6:,.1f} µs"
        if spread["median"] < 1e-3
        else f"{spread['median'] * 1e3:,.2f} ms"
    )


def _spread(spread: dict[str, float]) -> str:
    return f"{spread['median']:.3g} ({spread['low']:.3g}-{spread['high']:.3g})"


def _percent(spread: dict[str, float]) -> str:
    return f"{spread['median']:.0%} ({spread['low']:.0%}-{spread['high']:.0%})"
