"""Figures for slides: every one is drawn, light and dark; who has nothing to draw with reads one line."""

import shutil
import sys

import pytest
from binviz_dashboard import slides
from typer.testing import CliRunner

from binviz import cli
from binviz.errors import UserError


@pytest.mark.slow
@pytest.mark.parametrize("name", slides.FIGURES)
def test_a_figure_is_large_and_as_light_or_dark_as_its_slide(name):
    figure = slides.FIGURES[name]()
    assert len(figure.layout.meta["alt"]) > 20 and slides.FIGURES[name].__doc__.endswith(".")
    light, dark = (slides.slide(figure, look)["layout"] for look in ("light", "dark"))
    assert light["template"] != dark["template"] and light["height"] == dark["height"] >= 540
    assert light["font"]["size"] > 16 and light["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"


def test_without_something_to_draw_with_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(slides, "BROWSERS", ())
    with pytest.raises(UserError, match="install one, or set BROWSER_PATH"):
        list(slides.write(tmp_path, "svg", "light"))
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(UserError, match="pip install 'kaleido"):
        list(slides.write(tmp_path, "svg", "light"))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, slides.BROWSERS)), reason="no Chrome or Chromium on the PATH")
def test_the_command_writes_pictures_and_what_they_show(monkeypatch, tmp_path):
    monkeypatch.setattr(slides, "FIGURES", {"bits": slides.bits})
    done = CliRunner().invoke(
        cli.app, ["figures", "--out", str(tmp_path), "--format", "png", "--theme", "dark"]
    )
    assert done.exit_code == 0
    assert done.output.splitlines() == [str(tmp_path / name) for name in ("bits.png", "figures.md")]
    assert (tmp_path / "bits.png").read_bytes().startswith(b"\x89PNG")
    assert "5 places agree and 3 differ" in (tmp_path / "figures.md").read_text("utf-8")
