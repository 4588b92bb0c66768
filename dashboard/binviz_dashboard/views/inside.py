"""Inside: errors, distributions, attention and sensitivity of one subject as it reads one example."""

from __future__ import annotations

from binviz_dashboard import inputs, inside_parts, page, state

VIEWS = {
    "Errors": inside_parts.errors,
    "Distributions": inside_parts.distributions,
    "Attention": inside_parts.attention,
}
SENSITIVITY = "Sensitivity"

with page.frame(
    "What does binarization do inside a network?",
    "the layer in which the most is lost, and why.",
    ("activation", "binarizer", "teacher", "mass"),
) as controls:
    with controls:
        view = state.choose("View", [*VIEWS, SENSITIVITY], "view", few=True)
        subject = inputs.for_subject(attending=view == "Attention")
        if view != SENSITIVITY:
            example = inputs.for_example(subject)
    if view == SENSITIVITY:
        inside_parts.sensitivity(controls, subject)
    else:
        VIEWS[view](controls, subject, example)
