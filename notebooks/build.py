"""Build the notebooks from notebooks/src, where each is written once as a script in jupytext's percent format.

    python notebooks/build.py            all of them
    python notebooks/build.py 00 03      those whose names begin so
    python notebooks/build.py --time     times, too, are measured anew

Two notebooks come out of each source:

- NN_name.ipynb, the exercises: in a code cell everything below a line `# solution` is replaced by
  `raise NotImplementedError("Write your code here")`, and stands folded below the exercise's check; no outputs.
- solutions/NN_name.ipynb, complete and executed. Each figure is stored twice: interactive for JupyterLab, and as a
  picture for viewers that run no JavaScript (only where a Chrome or Chromium is installed).

`{run}` and `{exercises}` in a source's header card become minutes: of the processor time that running took, and the sum
of what stands at the exercises. Building what has not changed changes no byte: a cell with the tag "timed" keeps its
outputs while its text stays, and the time to run is written anew only when it is another one by a half.

Rules that tests/notebooks checks: the first cell is the header card; every figure follows a Markdown cell that asks
to **Predict**, says in words what it shows, has room for its axes, and was not printed above; one guess at least is
kept and shown beside its result; what learns has one thread; at most 25 code cells; at most 40 kB a figure and 300 kB
a notebook; nothing on stderr; every check in a solution is right.
"""

import base64
import copy
import hashlib
import io
import json
import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent
SOURCES = sorted((HERE / "src").glob("[0-9][0-9]_*.py"))
STUB = 'raise NotImplementedError("Write your code here")'
MARKER = re.compile(r"^( *)# solution\n(.*)\Z", re.MULTILINE | re.DOTALL)
PLOTLY = "application/vnd.plotly.v1+json"
SECONDS = "cpu_seconds"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


def exercise_path(source: Path) -> Path:
    return HERE / f"{source.stem}.ipynb"


def solution_path(source: Path) -> Path:
    return HERE / "solutions" / f"{source.stem}.ipynb"


def stored(source: Path) -> nbformat.NotebookNode:
    """The solution that was built last; empty if there is none."""
    path = solution_path(source)
    if path.exists():
        return nbformat.read(path, as_version=4)
    return nbformat.v4.new_notebook(metadata={SECONDS: 0})


def solution(source: Path, seconds: int | None = None) -> nbformat.NotebookNode:
    """The complete notebook without outputs, its cells named by a hash of their text so that diffs stay small.

    Args:
        source: the script.
        seconds: of a processor that running it takes; those of the stored solution if not given.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seconds = stored(source).metadata.get(SECONDS, 0) if seconds is None else seconds
    notebook.metadata = nbformat.from_dict(METADATA | {SECONDS: seconds})
    text = "\n".join(cell.source for cell in notebook.cells)
    minutes = {
        "run": math.ceil(seconds / 60),
        "exercises": sum(map(int, re.findall(r"^difficulty .* (\d+) minutes?$", text, re.MULTILINE))),
    }
    card = notebook.cells[0]
    for name, value in minutes.items():
        card.source = card.source.replace(f"{{{name}}}", str(value))
    _name(notebook)
    return notebook


def _name(notebook: nbformat.NotebookNode) -> None:
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def exercises(source: Path, seconds: int | None = None) -> nbformat.NotebookNode:
    """The same notebook with a stub in place of every solution, which is folded below the check."""
    notebook = solution(source, seconds)
    cells, folded = [], None
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code" and MARKER.search(cell.source):
            folded = MARKER.sub(r"\2", cell.source)
            cell.source = MARKER.sub(rf"\1{STUB}", cell.source)
        elif folded and "check.ex_" in cell.source:
            text = f"<details><summary>Solution</summary>\n\n```python\n{folded}\n```\n\n</details>"
            cells.append(nbformat.v4.new_markdown_cell(text))
            folded = None
    notebook.cells = cells
    _name(notebook)
    return notebook


def execute(notebook: nbformat.NotebookNode, timeout: int = 600) -> nbformat.NotebookNode:
    """Run a notebook in place, offline and in a folder of its own: marks of who learns here stay as they are."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    metadata = copy.deepcopy(notebook.metadata)
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", record_timing=False, coalesce_streams=True
    )
    client.extra_arguments = ["--log-level=ERROR"]
    with tempfile.TemporaryDirectory() as folder:
        client.execute(cwd=folder)
    notebook.metadata = metadata
    return notebook


def complete(source: Path, anew: bool) -> nbformat.NotebookNode:
    """The solution with outputs; times that were measured before stay, unless all is to be measured anew."""
    before, notebook = stored(source), solution(source)
    started = _seconds_of_children()
    execute(notebook)
    seconds = _seconds_of_children() - started
    was = notebook.metadata[SECONDS]
    if anew or not was / 1.5 < seconds < was * 1.5:
        ran = notebook.cells
        notebook = solution(source, round(seconds))
        for cell, done in zip(notebook.cells, ran, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = done.outputs, done.execution_count
    add_pictures(notebook)
    kept = {} if anew else {cell.id: cell.outputs for cell in before.cells if timed(cell)}
    for cell in filter(timed, notebook.cells):
        cell.outputs = kept.get(cell.id, cell.outputs)
    return notebook


def _seconds_of_children() -> float:
    now = os.times()
    return now.children_user + now.children_system


def timed(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell shows how long something took."""
    return "timed" in cell.metadata.get("tags", ())


def figures(cells: Iterable[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Every output that is a Plotly figure."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [output for output in outputs if PLOTLY in output.get("data", {})]


def add_pictures(notebook: nbformat.NotebookNode) -> None:
    """Put a PNG beside every Plotly figure, and what it shows in words."""
    browser = os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    outputs = figures(notebook.cells)
    if not outputs:
        return
    if browser is None:
        print("no Chrome or Chromium: figures are stored without pictures")
        return
    os.environ["BROWSER_PATH"] = browser
    import kaleido
    import plotly.graph_objects as go

    kaleido.start_sync_server(silence_warnings=True)
    for output in outputs:
        drawn = output.data[PLOTLY]
        drawn["layout"]["meta"].pop("code", None)  # the cell itself is its code
        figure = go.Figure({key: drawn[key] for key in ("data", "layout")}, skip_invalid=True)
        size = {"width": figure.layout.width or 760, "height": figure.layout.height or 420}
        picture = kaleido.calc_fig_sync(figure.to_plotly_json(), opts={"format": "png", **size})
        output.data["image/png"] = base64.b64encode(_with_palette(picture)).decode()
        output.metadata["image/png"] = {"alt": drawn["layout"]["meta"]["alt"]}
    kaleido.stop_sync_server()


def _with_palette(png: bytes) -> bytes:
    """The same picture in 64 colours, about a quarter of the bytes."""
    small = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    image.quantize(64, method=Image.Quantize.FASTOCTREE).save(small, "PNG", optimize=True)
    return small.getvalue()


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
    print(f"{path.relative_to(HERE.parent)}: {path.stat().st_size / 1000:.0f} kB")


def main(prefixes: list[str], anew: bool) -> None:
    for source in SOURCES:
        if not prefixes or source.stem.startswith(tuple(prefixes)):
            notebook = complete(source, anew)
            write(notebook, solution_path(source))
            write(exercises(source), exercise_path(source))


if __name__ == "__main__":
    main([each for each in sys.argv[1:] if each != "--time"], anew="--time" in sys.argv)
