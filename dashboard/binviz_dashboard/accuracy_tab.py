"""The part Accuracy: what a network gets right against what it costs, published and measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import costs, plots
from binviz.bench import records, tradeoffs
from binviz.bench.tradeoffs import Row
from binviz.evidence.headline import METRICS, SHARES, chance, splits
from binviz.words import counted, times
from binviz_dashboard import cache, charts, state

AXES: dict[str, tradeoffs.Axis] = {axis: axis for axis in get_args(tradeoffs.Axis)}
#: What stands in the URL for all tasks at once, as a share of the float network's.
SHARE = "share"


def show(controls: DeltaGenerator) -> None:
    """The whole part."""
    titles = tradeoffs.titles(cache.networks())
    words = titles | {SHARE: "all, share of the float one"}
    with controls:
        asked = state.choose("Task", [*titles, SHARE], "task", words=words)
        axis = AXES[state.choose("Cost", list(AXES), "cost", few=True)]
        if axis == "time":
            machines = {name: records.machine(record) for name, record in records.shipped().items()}
            how = state.choose("Measured on", list(machines), "machine", words=machines)
        else:
            rules = {each: costs.rules.get(each).title for each in costs.rules.names()}
            how = state.choose("Rule of counting", state.first("bert-line", list(rules)), "rule", words=rules)
    share = asked == SHARE
    shown, left = cache.paid("" if share else asked, axis, how)
    if not shown:
        st.markdown(f"#### {words[asked]}")
        st.info(nothing(axis, how, left), icon=":material/timer:")
        return
    metric = next(row.metric for row in cache.networks() if share or row.task == asked)
    percent = share or metric in SHARES
    what = "accuracy" if share else METRICS.get(metric, metric)
    unit = "% of the float network's" if share else "%" if percent else "no unit"
    split = next((each for each in splits().values() if each.task == asked), None)
    level = None if share else chance(metric, split)
    level = None if level is None else (100 if percent else 1) * level
    priced = axis, tradeoffs.unit(axis, how)
    head = "All tasks: accuracy as a share of the float network's," if share else f"{words[asked]}: {what}"
    st.markdown(f"#### {head} against {axis}")
    if not share and (found := answer(shown, axis, "%" if percent else "")):
        st.markdown(state.plain(found))
    charts.show(plots.tradeoff(shown, *priced, what, unit, level), "tradeoff")
    st.caption(said(shown, left, axis, how))
    heads = f"{what} ({unit})", f"{priced[0]} ({priced[1]})"
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, made, mime in (
            ("Table (.csv)", tradeoffs.as_csv, "text/csv"),
            ("Table (.tex)", tradeoffs.as_latex, "text/x-tex"),
        ):
            end = label[-4:-1]
            name = f"binviz-{asked}-{axis}.{end}"
            st.download_button(
                label, made(shown, *heads), name, mime, on_click="ignore", key=f"tradeoff-{end}"
            )
        charts.vector("tradeoff")


def answer(shown: Sequence[plots.Tradeoff], axis: str, unit: str) -> str:
    """What the cheapest 1-bit network costs, beside the best float one of its architecture; measured, and published.

    >>> one, two = plots.Tradeoff("BiT", 1.0, 81.8), plots.Tradeoff("float", 56.0, 89.2, network="float")
    >>> answer([one, two], "operations", "%")
    'Measured here, the cheapest 1-bit network, BiT, has 81.8 % with 1/56 of the operations of float with 89.2 %.'
    """
    told = []
    for published, words in ((False, "measured here"), (True, "published")):
        of = [point for point in shown if point.published is published]
        bits = [point for point in of if point.network == "1-bit"]
        floats = [point for point in of if point.network == "float"]
        if not bits or not floats:
            continue
        least = min(bits, key=lambda point: (point.cost, -point.value))
        alike = [point for point in floats if point.architecture == least.architecture]
        best = max(alike or floats, key=lambda point: point.value)
        one, other = (f"{point.value:.3g}{' ' * bool(unit)}{unit}" for point in (least, best))
        several = len({point.architecture for point in of}) > 1
        name = f"{least.name} on {least.architecture}" if several else least.name
        part = times(best.cost / least.cost)
        saved = f"1/{part} of the {axis} of {best.name} with {other}"
        told.append(f"{words}, the cheapest 1-bit network, {name}, has {one} with {saved}")
    line = "; ".join(told)
    return f"{line[:1].upper()}{line[1:]}." if line else ""


def said(shown: Sequence[plots.Tradeoff], left: Sequence[Row], axis: str, how: str) -> str:
    """What the figure shows and what it leaves out.

    >>> said([plots.Tradeoff("BiT", 1.0, 90.0, published=True)], [], "memory", "bivit").partition(". ")[0]
    'Hollow: 1 published; filled: 0 recorded here, with 95 % intervals'
    """
    published = sum(point.published for point in shown)
    told = [
        f"Hollow: {published} published; filled: {len(shown) - published} recorded here, with 95 % intervals.",
        "A line joins those that no other of its kind beats.",
    ]
    if 0 < published < len(shown):
        told.append(
            "There are two: papers choose their best step on the examples that they report, the runs here do not, and "
            "their networks are larger."
        )
    if axis == "time":
        told.append(
            f"Milliseconds of one input on one thread, 1-bit networks packed, from the record {how} of binviz bench: "
            "the architecture and the recipe of each point, not its own weights."
        )
    else:
        told.append(f"Counted for one picture or a text of {tradeoffs.TOKENS} tokens, source: {source(how)}.")
    if left:
        why = "no record has their time" if axis == "time" else "nothing says their cost by this rule"
        told.append(f"Left out, since {why}: {counted(len(left), 'network')}.")
    return " ".join(told)


def source(rule: str) -> str:
    """Where a rule of counting comes from."""
    return costs.rules.get(rule).source.rstrip(".")


def nothing(axis: str, how: str, left: Sequence[Row]) -> str:
    """Why there is no figure.

    >>> nothing("time", "amd-epyc-zen4", []).partition(":")[0]
    'No measured time for any of these 0 networks'
    """
    if axis == "time":
        return (
            f"No measured time for any of these {counted(len(left), 'network')}: the record {how} has only the "
            "architectures and recipes that `binviz bench` runs. Choose another cost, or another task."
        )
    return f"No cost by the rule {how} for any of these {counted(len(left), 'network')}; choose another rule."
