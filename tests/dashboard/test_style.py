"""What a browser gets: pages with our style, everything else as Streamlit has it."""

import pytest
from binviz_dashboard.style import Styled
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient


@pytest.fixture
def visitor():
    saved = {"Content-Disposition": 'attachment; filename="own.html"'}
    answers = {
        "/": HTMLResponse("<html><head></head>Streamlit's</html>"),
        "/media/own.html": HTMLResponse("<p>a file</p>", headers=saved),
        "/app.css": PlainTextResponse("p {}", media_type="text/css"),
        "/old": Response(status_code=304),
    }
    routes = [Route(path, lambda request, answer=answer: answer) for path, answer in answers.items()]
    return TestClient(Styled(Starlette(routes=routes)))


def test_a_page_has_our_style_in_its_head(visitor):
    page = visitor.get("/")
    assert (
        page.text.index("st-key-chart-") < page.text.index("</head>")
        and page.headers["cache-control"] == "no-cache"
    )


def test_everything_else_is_as_it_was(visitor):
    assert visitor.get("/media/own.html").text == "<p>a file</p>"
    assert visitor.get("/app.css").text == "p {}"
    assert (visitor.get("/old").status_code, visitor.get("/none").status_code) == (304, 404)
