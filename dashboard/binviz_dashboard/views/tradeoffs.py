"""Trade-offs: accuracy against cost, what papers count, and what is measured."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import accuracy_tab, cache, charts, page, priced, speed_tab, state, subject
from streamlit.delta_generator import DeltaGenerator

from binviz import costs, recipes

ACCURACY, COSTS, SPEED = "Accuracy", "Costs", "Speed"


def most_tokens(name: str) -> int | None:
    """The longest text that a network takes; None where it reads none."""
    if name in priced.CONFIGURATIONS:
        return priced.most_tokens(name)
    if subject.of(name).task.shows != "text":
        return None
    return int(cache.model(name).model.config.max_position_embeddings)


def what_papers_count(controls: DeltaGenerator) -> None:
    """Operations and bytes under a named rule."""
    with controls:
        known = subject.subjects()
        words = {name: each.title for name, each in known.items()}
        name = state.choose("Network", [*priced.CONFIGURATIONS, *known], "network", words=words)
        recipe, tokens = "its own", 0
        if name in priced.CONFIGURATIONS:
            recipe = state.choose("Recipe", state.first("bit-w1a1", recipes.names()), "recipe")
        if longest := most_tokens(name):
            tokens = state.number("Tokens", 1, longest, min(128, longest), "tokens")
        titles = {each: costs.rules.get(each).title for each in costs.rules.names()}
        rule = state.choose("Rule of counting", state.first("bert-line", list(titles)), "rule", words=titles)
        counted = cache.costs(name, recipe, tokens).under(rule)
    st.markdown(f"#### {words.get(name, name)}, {counted.recipe}, {counted.input}")
    for column, label, (value, below) in zip(
        st.columns(3), ("Operations", "Memory"), priced.totals(counted), strict=False
    ):
        column.metric(f"{label} [rule {rule}]", value, below, delta_color="off", delta_arrow="off")
    for column, what in zip(st.columns(2, gap="large"), ("operations", "memory"), strict=True):
        with column:
            charts.show(priced.figure(counted, what), what)
    st.caption(f"{priced.about(rule)} {priced.not_counted(counted)}")
    with st.expander("Every layer"):
        table = priced.table(counted)
        numbers = {name: st.column_config.TextColumn(alignment="right") for name in table.columns[2:]}
        alt = f"Costs of every layer by the rule {rule}."
        st.dataframe(table, hide_index=True, column_config=numbers, alt=alt)


with page.frame(
    "What does one bit save, and what does it cost?",
    "another task, or the same networks by another rule of counting.",
    ("packed", "recipe"),
) as controls:
    for key, part in (
        ("network", COSTS),
        ("recipe", COSTS),
        ("tokens", COSTS),
        ("shape", SPEED),
        ("rows", SPEED),
    ):
        state.imply(key, "part", part)  # as older links say it
    with controls:
        part = state.choose("Part", [ACCURACY, COSTS, SPEED], "part", few=True)
    {ACCURACY: accuracy_tab.show, COSTS: what_papers_count, SPEED: speed_tab.show}[part](controls)
