"""What the documents promise: their Python runs, their links lead somewhere, their make targets exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from binviz.bench import records

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.slow
@pytest.mark.parametrize("names", [["README.md", "CONTRIBUTING.md"], ["docs/add-your-paper.md"]])
def test_their_python_runs(names):
    """In one process, since that takes most of the time; each document by itself. The last one trains."""
    programs = []
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8")
        blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert blocks, name
        programs.append(
            f"exec(compile({chr(10).join(blocks)!r}, {name!r}, 'exec'), {{'__name__': '__main__'}})"
        )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(programs)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    here = (ROOT / name).parent
    assert [link for link in links if "://" not in link and not (here / link).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b *[`#\n]", (ROOT / name).read_text(encoding="utf-8"))) <= targets


def test_speeds_in_the_readme_are_those_of_the_accepted_records():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    names = {"amd-epyc-zen4": "Zen 4", "amd-epyc-zen5": "Zen 5", "intel-xeon-spr": "Intel Xeon"}
    assert set(names) == set(records.shipped())
    for machine, name in names.items():
        (line,) = (
            line
            for line in records.shipped()[machine]["models"]
            if (line["model"], line["recipe"], line["batch"], line["threads"])
            == ("BERT-base", "bit-w1a1", 1, 1)
        )
        times = [f"1/{line['ratio'][kind]['median']:.2g}" for kind in ("float32", "int8")]
        said = re.search(rf"(1/\S+)[^/]*and (1/\S+)[^/]* {name}", text)
        assert said and list(said.groups()) == times, machine
