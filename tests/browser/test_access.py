"""axe-core on every page; what it finds in Streamlit's own parts is named here, in ours it finds nothing."""

import pytest
from binviz_dashboard.pages import PAGES

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.browser

#: Rule -> parts of Streamlit's in which it is broken.
STREAMLITS: dict[str, tuple[str, ...]] = {}
VIEWS = {
    "answers": ("", "?model=digits-vit.bit-w1a1&digit=3"),
    "bits": ("bits", "bits?part=A+row+of+a+model"),
    "inside": ("inside", "inside?view=Distributions", "inside?view=Attention", "inside?view=Sensitivity"),
    "tradeoffs": ("tradeoffs", "tradeoffs?part=Speed"),
}
PATHS = [path for page in PAGES for path in VIEWS.get(page, (page,))]


def ours(rule, node):
    """Whether a node that breaks a rule is not one of those that Streamlit makes."""
    return not any(part in node["html"] for part in STREAMLITS.get(rule, ()))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path or "start")
def test_nothing_of_ours_breaks_a_rule_of_access(visitor, scheme, path):
    page = visitor.go(path) if "Sensitivity" not in path else visitor.page
    if "Sensitivity" in path:
        page.goto(f"{visitor.address}/{path}")
        page.get_by_text("one at a time becomes 1-bit").wait_for()
    found = axe.Axe().run(page).response["violations"]
    broken = [
        f"{each['id']} ({each['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
        if ours(each["id"], node)
    ]
    assert not broken, "\n".join(broken)
