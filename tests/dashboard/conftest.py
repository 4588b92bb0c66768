import functools

import pytest
from binviz_dashboard import launch, speed
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from binviz.bench.pair import Timed
from binviz.bench.timing import Spread


@pytest.fixture(scope="session", autouse=True)
def installed_components():
    """Streamlit reads what every installed package says of itself at each first run of an app: here once."""
    with pytest.MonkeyPatch.context() as patch:
        scan = manifest_scanner.scan_component_manifests
        patch.setattr(manifest_scanner, "scan_component_manifests", functools.cache(scan))
        yield


@pytest.fixture
def times_stand_still(monkeypatch):
    """Measuring takes a while at every look, and what it finds is no answer to a widget; test_answers measures."""
    spread = Spread(0.02, 0.02, 0.02)
    timed = Timed(spread, spread, Spread(1.0, 1.0, 1.0), True, "nothing was measured", 1, "noon")
    monkeypatch.setattr(speed, "measure_pair", lambda *given: timed)


@pytest.fixture
def visit(times_stand_still):
    """visit(page, **url): that page of the dashboard, run once, with these parameters in its URL."""

    def run(page: str, **url: str) -> AppTest:
        app = AppTest.from_file(str(launch.APP), default_timeout=600)
        app.query_params.update(url)
        return app.switch_page(f"views/{page}.py").run()

    return run
