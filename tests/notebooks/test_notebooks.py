import ast
import importlib.util
import json
import math
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted((NOTEBOOKS / "src").glob("[0-9][0-9]_*.py"))
every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def build():
    """The script that builds them; not loaded before it is wanted, since that takes three seconds."""
    spec = importlib.util.spec_from_file_location("notebook_build", NOTEBOOKS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """In the notebooks' processes, too: their nets are small, and a second thread waits where the machine is busy."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


CARD = ["**You will**", "**Minutes**", "**Before this**", "**Papers**", "**Not reproduced**"]


def sources(notebook):
    return [(cell.cell_type, cell.id, cell.source) for cell in notebook.cells]


def test_a_solution_is_cut_from_its_marker_to_the_end_of_the_cell(build, tmp_path):
    script = tmp_path / "09_x.py"
    script.write_text(
        "# %%\ndef f(x):\n    y = 1\n    # solution\n    z = 2\n    return y + z\n\n# %%\ncheck.ex_9_1(f)\n"
    )
    first, check, folded = build.exercises(script).cells
    assert first.source == f"def f(x):\n    y = 1\n    {build.STUB}"
    assert check.source == "check.ex_9_1(f)"
    assert folded.cell_type == "markdown" and "    y = 1\n    z = 2\n    return y + z\n```" in folded.source
    assert "return y + z" in build.solution(script).cells[0].source


@every_notebook
def test_no_drift_from_the_source(build, source):
    import nbformat

    for path, built in [
        (build.exercise_path(source), build.exercises(source)),
        (build.solution_path(source), build.solution(source)),
    ]:
        assert sources(nbformat.read(path, as_version=4)) == sources(built), (
            f"run `make notebooks` ({path.name})"
        )
        assert path.stat().st_size <= 300_000


@every_notebook
def test_form(build, source):
    cells = build.solution(source).cells
    assert cells[0].source.startswith(f"# {source.stem[:2]} · ")
    assert [label for label in CARD if label not in cells[0].source] == []
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "## Summary" in text and "## References" in text
    assert sum(cell.cell_type == "code" for cell in cells) <= 25


@every_notebook
def test_every_figure_follows_a_prediction(build, source):
    import nbformat

    said = ""
    for cell in nbformat.read(build.solution_path(source), as_version=4).cells:
        if cell.cell_type == "markdown":
            said = cell.source
        elif build.figures([cell]):
            assert "**Predict" in said, cell.source


def printed(cell):
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


def numbers(text, digits):
    """Those of so many digits or more: fewer may be the same by chance."""
    found = re.findall(r"\d+(?:[.,]\d+)*", text)
    return {number for number in found if sum(map(str.isdigit, number.lstrip("0.,"))) >= digits}


@every_notebook
def test_a_guess_is_kept_before_its_result_is_printed_and_shown_beside_it(build, source):
    """Half of the numbers of a result may be there by chance."""
    import nbformat

    cells = nbformat.read(build.solution_path(source), as_version=4).cells
    above, known = {}, ""
    for cell in cells:
        for what, place in re.findall(r'^ *check\.(predict|compare)\(\s*"(.+?)"', cell.source, re.MULTILINE):
            if what == "predict":
                above[place] = known + printed(cell)
            else:
                results = re.findall(r"^it is {5}(.+)$", printed(cell), re.MULTILINE)
                wanted = numbers(" ".join(results), 2)
                assert results and len(wanted & numbers(above.pop(place), 2)) <= len(wanted) / 2, place
        known += printed(cell)
    assert known.count("you said") and not above


@every_notebook
def test_what_a_figure_shows_was_not_printed_above_the_question(build, source):
    """Half of its numbers or more, in any rounding."""
    import nbformat
    import numpy as np
    import plotly.graph_objects as go

    known = ""
    for cell in nbformat.read(build.solution_path(source), as_version=4).cells:
        for output in build.figures([cell]):
            drawn = go.Figure(output.data[build.PLOTLY]["data"], skip_invalid=True).data
            ys = [each.y for each in drawn if each.type in ("bar", "scatter") and each.y is not None]
            values = {float(y) for each in ys for y in each if isinstance(y, float | np.floating)}
            told = [v for v in values if numbers(f"{v:.1f} {v:.2f} {v:.3f}", 3) & numbers(known, 3)]
            assert len(told) <= len(values) / 2, (cell.source, told)
        known += printed(cell)


@every_notebook
def test_small_nets_learn_on_one_thread(source):
    """Where others compute, too, a second thread waits many times as long as the first one works."""
    written = source.read_text("utf-8")
    assert "torch.set_num_threads(1)" in written or "optimizer.step()" not in written


@every_notebook
def test_every_figure_has_a_picture_words_and_room_for_its_axes(build, source):
    import nbformat

    for output in build.figures(nbformat.read(build.solution_path(source), as_version=4).cells):
        layout = output.data[build.PLOTLY]["layout"]
        said = layout["meta"]["alt"]
        assert len(said) > 20 and output.metadata["image/png"]["alt"] == said
        assert len(json.dumps(output.data)) <= 40_000, said
        axes = {name: axis for name, axis in layout.items() if name[:5] in ("xaxis", "yaxis")}
        for name, axis in axes.items():
            ours = layout["template"]["layout"][name[:5]]
            shown = axis.get("visible", True) and axis.get("showticklabels", True)
            side = layout.get("margin", {}).get("b" if name[0] == "x" else "l", 0)
            assert not shown or axis.get("automargin", ours.get("automargin")) or side >= 40, (said, name)


@every_notebook
def test_the_card_says_what_was_measured(build, source):
    import nbformat

    written = source.read_text("utf-8")
    assert "{run} to run" in written and "{exercises} for the exercises" in written
    notebook = nbformat.read(build.solution_path(source), as_version=4)
    assert notebook.metadata[build.SECONDS] > 0
    assert f"{math.ceil(notebook.metadata[build.SECONDS] / 60)} to run" in notebook.cells[0].source


@pytest.mark.slow
@every_notebook
def test_the_solution_runs_and_every_check_is_right(build, source):
    for cell in build.execute(build.solution(source)).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{cell.source}\n{output.text}"
        if "check.ex_" in cell.source:
            assert "right." in "".join(o.text for o in cell.outputs if o.get("name") == "stdout"), cell.source


@every_notebook
def test_the_code_of_solution_and_exercises_is_python_and_finds_what_it_imports(build, source):
    from IPython.core.inputtransformer2 import TransformerManager

    shell = TransformerManager()
    for cell in (*build.solution(source).cells, *build.exercises(source).cells):
        if cell.cell_type != "code":
            continue
        tree = ast.parse(shell.transform_cell(cell.source))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    importlib.import_module(name.name)
            elif isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                for name in node.names:
                    assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES[:2], ids=lambda path: path.stem)
def test_the_exercises_stop_at_the_first_stub(build, source):
    """Before it the cells are the solution's, which run; so two notebooks stand for all."""
    from nbclient.exceptions import CellExecutionError

    notebook = build.exercises(source)
    stubs = [i for i, cell in enumerate(notebook.cells) if build.STUB in cell.source]
    assert stubs
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
