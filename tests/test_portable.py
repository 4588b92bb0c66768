"""What differs between systems, and is easily forgotten on the one at hand."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from binviz_kernels.forms import FORMS

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("binviz", "kernels", "dashboard", "notebooks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
#: Where the encoding stands among the arguments, if it is not named.
PLACES = {"read_text": 0, "write_text": 1, "open": 3}


def silent(path: Path) -> list[str]:
    """Calls that read or write text in whatever encoding the system prefers."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in PLACES or ast.unparse(node.func) in ("os.open", "Image.open"):
            continue
        modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        binary = name == "open" and any(mode.strip("rwax+t") == "b" for mode in modes)
        named = any(keyword.arg == "encoding" for keyword in node.keywords)
        if not binary and not named and len(node.args) <= PLACES[name]:
            found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_every_text_file_is_read_and_written_in_a_named_encoding():
    """On Windows the default is the language's own, and a word-piece table would come out wrong."""
    assert [call for path in SOURCES for call in silent(path)] == []


def test_calls_without_an_encoding_are_seen(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "p.read_text()\np.write_text(t)\nopen(p)\np.open('w')\n"
        "p.read_text('utf-8')\np.write_text(t, encoding='utf-8')\nopen(p, 'rb')\np.open('r+b')\n",
        "utf-8",
    )
    assert [call.partition(":")[2][:1] for call in silent(script)] == ["1", "2", "3", "4"]


def test_file_names_are_those_of_every_system():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = tracked.stdout.decode().split("\0")
    if tracked.returncode:
        pytest.skip("no checkout of git")
    assert len({name.lower() for name in names}) == len(names)
    assert not [name for name in names if set(name) & set('<>:"|?*\\') or len(name) > 120]


def binviz(*words: str, program: str = "", **settings: str) -> subprocess.CompletedProcess:
    command = ["-c", program] if program else ["-m", "binviz.cli", *words]
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("", "kernels", "dashboard"))
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": paths} | settings,
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


def test_a_console_that_lacks_a_sign_gets_another():
    program = "from binviz import cli; cli.app = lambda: print('12 \\N{MICRO SIGN}s'); cli.main()"
    done = binviz(program=program, PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr) == ("12 ?s\n", "")


def test_the_command_refuses_an_unknown_form_of_the_kernels_in_one_line():
    done = binviz("bench", "--quick", BINVIZ_KERNELS="sse")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"binviz: BINVIZ_KERNELS must be one of {', '.join(FORMS)}, got 'sse'"
    ]
