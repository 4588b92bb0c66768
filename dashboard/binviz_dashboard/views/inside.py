"""Inside: errors, distributions, attention, attribution, margins and sensitivity of one subject."""

from __future__ import annotations

from binviz_dashboard import attribution_tab, inputs, inside_parts, margins_tab, page, state

VIEWS = {
    "Errors": inside_parts.errors,
    "Distributions": inside_parts.distributions,
    "Attention": inside_parts.attention,
    "Attribution": attribution_tab.show,
    "Margins": margins_tab.show,
}
SENSITIVITY = "Sensitivity"

with page.frame(
    "What does binarization do inside a network?",
    "the layer in which the most is lost, and why.",
    ("activation", "binarizer", "teacher", "mass"),
) as controls:
    with controls:
        view = state.choose("View", [*VIEWS, SENSITIVITY], "view", few=True)
        subject = inputs.for_subject(attending=view in ("Attention", "Margins"))
        if view != SENSITIVITY:
            example = inputs.for_example(subject)
    if view == SENSITIVITY:
        inside_parts.sensitivity(controls, subject)
    else:
        VIEWS[view](controls, subject, example)
