import pytest
from binviz_dashboard import launch
from streamlit.testing.v1 import AppTest


@pytest.fixture
def visit():
    """visit(page, **url): that page of the dashboard, run once, with these parameters in its URL."""

    def run(page: str, **url: str) -> AppTest:
        app = AppTest.from_file(str(launch.APP), default_timeout=600)
        app.query_params.update(url)
        return app.switch_page(f"views/{page}.py").run()

    return run
