"""Build the notebooks from notebooks/src, where each is written once as a script in jupytext's percent format.

    python notebooks/build.py            all of them
    python notebooks/build.py 00 03      those whose names begin so

Two notebooks come out of each source:

- NN_name.ipynb, the exercises: in a code cell everything below a line `# solution` is replaced by
  `raise NotImplementedError("Write your code here")`; no outputs.
- solutions/NN_name.ipynb, complete and executed. Each figure is stored twice: interactive for JupyterLab, and as a
  picture for viewers that run no JavaScript (only where a Chrome or Chromium is installed).

Rules that tests/notebooks checks: the first cell is the header card; every figure follows a Markdown cell that asks
to **Predict**; at most 25 code cells; at most 300 kB; nothing on stderr; every check in a solution is right.
"""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent
SOURCES = sorted((HERE / "src").glob("[0-9][0-9]_*.py"))
STUB = 'raise NotImplementedError("Write your code here")'
PLOTLY = "application/vnd.plotly.v1+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


def exercise_path(source: Path) -> Path:
    return HERE / f"{source.stem}.ipynb"


def solution_path(source: Path) -> Path:
    return HERE / "solutions" / f"{source.stem}.ipynb"


def solution(source: Path) -> nbformat.NotebookNode:
    """The complete notebook without outputs, its cells named by a hash of their text so that diffs stay small."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook


def exercises(source: Path) -> nbformat.NotebookNode:
    """The same notebook with a stub in place of every solution."""
    notebook = solution(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(
                r"^( *)# solution\n.*\Z", rf"\1{STUB}", cell.source, flags=re.DOTALL | re.MULTILINE
            )
    return notebook


def execute(notebook: nbformat.NotebookNode, timeout: int = 600) -> nbformat.NotebookNode:
    """Run a notebook in place, offline and in the folder of the exercises."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", record_timing=False)
    client.extra_arguments = ["--log-level=ERROR"]
    client.execute(cwd=str(HERE))
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def plotly_outputs(cells: Iterable[nbformat.NotebookNode]) -> list[dict]:
    """The data of every output that is a figure."""
    return [
        output.data
        for cell in cells
        for output in cell.get("outputs", [])
        if PLOTLY in output.get("data", {})
    ]


def add_pictures(notebook: nbformat.NotebookNode) -> None:
    """Put a PNG beside every Plotly figure."""
    browser = os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    bundles = plotly_outputs(notebook.cells)
    if not bundles:
        return
    if browser is None:
        print("no Chrome or Chromium: figures are stored without pictures")
        return
    os.environ["BROWSER_PATH"] = browser
    import kaleido
    import plotly.graph_objects as go

    kaleido.start_sync_server(silence_warnings=True)
    for bundle in bundles:
        figure = go.Figure({key: bundle[PLOTLY][key] for key in ("data", "layout")}, skip_invalid=True)
        size = {"width": figure.layout.width or 760, "height": figure.layout.height or 420}
        picture = kaleido.calc_fig_sync(figure.to_plotly_json(), opts={"format": "png", **size})
        bundle["image/png"] = base64.b64encode(_with_palette(picture)).decode()
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


def main(prefixes: list[str]) -> None:
    for source in SOURCES:
        if not prefixes or source.stem.startswith(tuple(prefixes)):
            write(exercises(source), exercise_path(source))
            complete = execute(solution(source))
            add_pictures(complete)
            write(complete, solution_path(source))


if __name__ == "__main__":
    main(sys.argv[1:])
