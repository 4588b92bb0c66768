"""`binviz doctor`: what is in order is said, and what is not."""

from dataclasses import replace

import numpy as np
from typer.testing import CliRunner

from binviz import cli, zoo
from binviz.bench import doctor
from binviz.errors import UserError


def test_here_everything_is_in_order(monkeypatch):
    monkeypatch.delenv("BINVIZ_MIRROR", raising=False)
    said = CliRunner().invoke(cli.app, ["doctor"])
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    for text in (
        "Python 3.",
        "torch 2.",
        "kernels: ",
        "equals that of integers",
        "bundled models",
        "BINVIZ_MIRROR",
    ):
        assert text in said.output


def test_what_is_wrong_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BINVIZ_MIRROR", f"{tmp_path / 'none'}:{tmp_path}".replace(":", doctor.os.pathsep))
    name = zoo.names()[0]
    other = replace(zoo.describe(name), sha256="0" * 64)
    monkeypatch.setattr(doctor.zoo, "describe", lambda asked: other)
    monkeypatch.setattr(doctor.zoo, "names", lambda: [name])
    monkeypatch.setattr(doctor.kernels, "xnor_gemm", lambda a, b: np.zeros((130, 70), np.int32))
    said = CliRunner().invoke(cli.app, ["doctor"])
    assert isinstance(said.exception, UserError) and "are not as they should be" in str(said.exception)
    wrong = [line for line in said.output.splitlines() if line.startswith("NOT")]
    for text in ("which is no folder", "0 data sets, 0 models", f"{name} is missing or changed", "is WRONG"):
        assert any(text in line for line in wrong), text


def test_shells_can_complete_the_command():
    said = CliRunner().invoke(cli.app, ["--help"])
    assert "--install-completion" in said.output and "--show-completion" in said.output
