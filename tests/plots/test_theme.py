"""Colours that can be read: on a white page, on Streamlit's dark one, and on a grey print."""

import re

import pytest

from binviz.plots import theme

WHITE, DARK = "#FFFFFF", "#0E1117"


def luminance(colour):
    """WCAG 2's relative luminance of "#RRGGBB"."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("template", "page"), [("binviz", WHITE), ("binviz_dark", DARK)])
def test_text_can_be_read(template, page):
    font = theme.pio.templates[template].layout.font
    assert contrast(font.color, page) >= 4.5
    assert font.size >= 13


def test_no_single_grey_could_serve_both_pages():
    greys = [f"#{level:02x}{level:02x}{level:02x}" for level in range(256)]
    assert max(min(contrast(grey, WHITE), contrast(grey, DARK)) for grey in greys) < 4.5


@pytest.mark.parametrize(
    "pair", [(theme.ZERO, theme.ONE), (theme.ADDED, theme.SUBTRACTED)], ids=["codes", "places"]
)
def test_a_pair_differs_on_a_grey_print(pair):
    assert contrast(*pair) >= 3


@pytest.mark.parametrize("colour", [theme.ZERO, theme.SUBTRACTED, theme.GREY])
def test_dark_cells_and_frames_are_seen_on_both_pages(colour):
    assert min(contrast(colour, WHITE), contrast(colour, DARK)) >= 2.9


def test_no_figure_has_small_ticks():
    sizes = re.findall(
        r"tickfont.{0,20}?size.{0,4}?(\\d+)", str(theme.pio.templates["binviz"].to_plotly_json())
    )
    assert all(int(size) >= 13 for size in sizes)
