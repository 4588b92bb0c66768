"""Inside: errors, distributions, attention, what it leaves out, attribution, margins, signs and sensitivity."""

from __future__ import annotations

from binviz_dashboard import (
    attribution_tab,
    compare,
    inputs,
    inside_parts,
    left_out,
    left_out_parts,
    margins_tab,
    page,
    signs_parts,
    state,
)
from binviz_dashboard import subject as subjects
from binviz_dashboard.subject import Subject

VIEWS = {
    "Errors": inside_parts.errors,
    "Distributions": inside_parts.distributions,
    "Attention": inside_parts.attention,
    "Residuals": left_out_parts.residuals,
    "Attribution": attribution_tab.show,
    "Margins": margins_tab.show,
}
#: These look at no example.
WHOLE = {"Signs": signs_parts.signs_of, "Sensitivity": inside_parts.sensitivity}


def draw(of: Subject) -> None:
    """The chosen view of a model."""
    if view in WHOLE:
        WHOLE[view](controls, of)
    else:
        with controls:
            example = inputs.for_example(of)
        VIEWS[view](controls, of, example)


with page.frame(
    "What does binarization do inside a network?",
    "the layer in which the most is lost, and why.",
    ("activation", "binarizer", "teacher", "mass"),
) as controls:
    with controls:
        view = state.choose("View", [*VIEWS, *WHOLE], "view", few=True)
        attending = view in ("Attention", "Margins")
        among = left_out.subjects() if view == "Residuals" else subjects.subjects(attending)
        subject = inputs.for_subject(among=among)
        second = compare.ask(subject, among)
    compare.show(subject, second, draw)
