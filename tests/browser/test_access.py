"""Access: axe-core finds nothing in what is ours, and everything can be reached and seen without a mouse."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from binviz_dashboard.pages import PAGES

pytestmark = pytest.mark.browser

#: Rule of axe -> parts of Streamlit's or plotly's own HTML in which it is broken.
OTHERS = {"color-contrast": ('class="token',)}  # colours of code
#: What each page shows besides what it opens with.
TABS = {
    "bits": ("?part=A+row+of+a+model",),
    "evidence": ("?part=Leaderboard", "?part=Leaderboard&columns=tracks"),
    "inside": ("?view=Distributions", "?view=Attention"),
    "playground": ("?part=On+digits",),
    "tradeoffs": ("?part=Speed",),
}


def ours(rule, node):
    return not any(part in node["html"] for part in OTHERS.get(rule, ()))


@pytest.mark.parametrize("page", PAGES)
def test_nothing_of_ours_breaks_a_rule_of_access(visitor, page):
    for tab in ("", *TABS.get(page, ())):
        shown = visitor.go(page.replace("answers", "") + tab)
        for scheme in ("light", "dark"):
            shown.emulate_media(color_scheme=scheme)
            shown.wait_for_timeout(600)
            broken = [
                f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
                for each in Axe().run(shown).response["violations"]
                for node in each["nodes"]
                if ours(each["id"], node)
            ]
            assert not broken, f"{page}{tab} in {scheme}:\n" + "\n".join(broken)
