"""Inside: errors, distributions, attention, what it leaves out, attribution, margins, signs and sensitivity."""

from __future__ import annotations

from binviz_dashboard import (
    attribution_tab,
    inputs,
    inside_parts,
    left_out,
    left_out_parts,
    margins_tab,
    page,
    signs_parts,
    state,
)

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

with page.frame(
    "What does binarization do inside a network?",
    "the layer in which the most is lost, and why.",
    ("activation", "binarizer", "teacher", "mass"),
) as controls:
    with controls:
        view = state.choose("View", [*VIEWS, *WHOLE], "view", few=True)
        among = left_out.subjects() if view == "Residuals" else None
        subject = inputs.for_subject(attending=view in ("Attention", "Margins"), among=among)
        if view in VIEWS:
            example = inputs.for_example(subject)
    if view in WHOLE:
        WHOLE[view](controls, subject)
    else:
        VIEWS[view](controls, subject, example)
