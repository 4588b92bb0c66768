import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
_spec = importlib.util.spec_from_file_location("notebook_build", NOTEBOOKS / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)

every_notebook = pytest.mark.parametrize("source", build.SOURCES, ids=lambda path: path.stem)
#: They train nets, or measure how fast something is.
LONG = ("02", "03", "04", "05", "06")
every_notebook_in_time = pytest.mark.parametrize(
    "source",
    [pytest.param(s, marks=pytest.mark.slow) if s.stem[:2] in LONG else s for s in build.SOURCES],
    ids=lambda path: path.stem,
)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """In the notebooks' processes, too: their nets are small, and a second thread waits where the machine is busy."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


CARD = ["**You will**", "**Minutes**", "**Before this**", "**Papers**", "**Not reproduced**"]


def sources(notebook):
    return [(cell.cell_type, cell.id, cell.source) for cell in notebook.cells]


def test_a_solution_is_cut_from_its_marker_to_the_end_of_the_cell(tmp_path):
    script = tmp_path / "09_x.py"
    script.write_text(
        "# %%\ndef f(x):\n    y = 1\n    # solution\n    z = 2\n    return y + z\n\n# %%\nf(1)\n"
    )
    first, second = build.exercises(script).cells
    assert first.source == f"def f(x):\n    y = 1\n    {build.STUB}"
    assert second.source == "f(1)"
    assert "return y + z" in build.solution(script).cells[0].source


@every_notebook
def test_no_drift_from_the_source(source):
    for path, built in [
        (build.exercise_path(source), build.exercises(source)),
        (build.solution_path(source), build.solution(source)),
    ]:
        assert sources(nbformat.read(path, as_version=4)) == sources(built), (
            f"run `make notebooks` ({path.name})"
        )
        assert path.stat().st_size <= 300_000


@every_notebook
def test_form(source):
    cells = build.solution(source).cells
    assert cells[0].source.startswith(f"# {source.stem[:2]} · ")
    assert [label for label in CARD if label not in cells[0].source] == []
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "## Summary" in text and "## References" in text
    assert sum(cell.cell_type == "code" for cell in cells) <= 25


@every_notebook
def test_every_figure_follows_a_prediction(source):
    said = ""
    for cell in nbformat.read(build.solution_path(source), as_version=4).cells:
        if cell.cell_type == "markdown":
            said = cell.source
        elif build.plotly_outputs([cell]):
            assert "**Predict" in said, cell.source


@every_notebook_in_time
def test_the_solution_runs_and_every_check_is_right(source):
    for cell in build.execute(build.solution(source)).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{cell.source}\n{output.text}"
        if "check.ex_" in cell.source:
            assert "True" in [o.data["text/plain"] for o in cell.outputs if "data" in o], cell.source


@every_notebook_in_time
def test_the_exercises_stop_at_the_first_stub(source):
    notebook = build.exercises(source)
    stubs = [i for i, cell in enumerate(notebook.cells) if build.STUB in cell.source]
    if not stubs:
        return
    with pytest.raises(CellExecutionError, match="Write your code here"):
        build.execute(notebook)
    failed = [
        i
        for i, cell in enumerate(notebook.cells)
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    ]
    first_use = next(
        i for i in range(stubs[0], len(notebook.cells)) if "check.ex_" in notebook.cells[i].source
    )
    assert failed in ([stubs[0]], [first_use])
