import functools

import pytest
from binviz_dashboard import launch
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest


@pytest.fixture(scope="session", autouse=True)
def installed_components():
    """Streamlit reads what every installed package says of itself at each first run of an app: here once."""
    with pytest.MonkeyPatch.context() as patch:
        scan = manifest_scanner.scan_component_manifests
        patch.setattr(manifest_scanner, "scan_component_manifests", functools.cache(scan))
        yield


@pytest.fixture
def visit():
    """visit(page, **url): that page of the dashboard, run once, with these parameters in its URL."""

    def run(page: str, **url: str) -> AppTest:
        app = AppTest.from_file(str(launch.APP), default_timeout=600)
        app.query_params.update(url)
        return app.switch_page(f"views/{page}.py").run()

    return run
