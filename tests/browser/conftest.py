import re
import shutil

import pytest
from binviz_dashboard import launch
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.path.parts and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no chromium on the PATH"))


@pytest.fixture(scope="session")
def address():
    """A dashboard of its own, stopped at the end."""
    with launch.serving() as where:
        yield where


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Visitor:
    """A page in Chromium, with all that it asked for and complained of."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, line):
        # On a page's own address Streamlit first looks for its server beside the page, then one level up.
        searching = re.search(r"/\w+/_stcore/(health|host-config)$", line.location["url"])
        if line.type == "error" and not searching:
            self.complaints.append(line.text)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.address}/{path}")
        return self.settle()

    def settle(self) -> Page:
        """Wait until the script has run and a chart, or the playground, is drawn."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        self.page.wait_for_selector(".js-plotly-plot .main-svg, .plane canvas")
        self.page.wait_for_timeout(400)
        return self.page


@pytest.fixture
def visitor(chromium, address, request):
    scheme = request.getfixturevalue("scheme") if "scheme" in request.fixturenames else "light"
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1440, "height": 1300})
    context.set_default_timeout(60_000)
    yield Visitor(context.new_page(), address)
    context.close()
