"""Build the book: course, binarizers, recipes, claims and API as pages that are read from files, without a server.

    python docs/book.py [FOLDER]         into docs/_build/book if no folder is given

Nothing is fetched and nothing is run: the course is the notebooks as they were executed, formulas become MathML, and
what a page says of binarizers, recipes, claims and functions is read from the classes, the records and the docstrings.
The pages are made by Sphinx with MyST-NB, those of the API by pdoc.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import shutil
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import binviz_kernels
import pdoc
import torch
from sphinx.cmd.build import main as sphinx

import binviz
from binviz import binarizers, recipes
from binviz.experiments import ledger
from binviz.experiments.questions import questions
from binviz.experiments.report import would_be_seen
from binviz.recipes.recipe import ROLES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COURSE = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
#: Pages that are written by hand, in the order in which they are read.
WRITTEN = ("lecturer", "glossary", "add-your-paper", "classroom", "architectures", "field")
#: Where the papers' golden vectors have their values; see tests/binarizers/test_golden.py.
X = torch.tensor([-1.5, -1.0, -0.5, -0.2, 0.2, 0.34, 0.36, 0.7, 1.2])

CONFIG = """
import sys
sys.path.insert(0, {here!r})
from mathml import setup
project, author, html_title = "binviz", "The binviz authors", "binviz: one bit per number"
copyright = "The binviz authors; text CC BY 4.0"
extensions = ["myst_nb"]
html_theme = "furo"
nb_execution_mode = "off"
# a picture says it without JavaScript, the interactive figure is in JupyterLab
nb_mime_priority_overrides = [("html", "image/png", 0), ("html", "text/plain", 1)]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]
"""


def toc(caption: str, names: list[str]) -> str:
    """A list of pages, as the index has several."""
    return f"```{{toctree}}\n:caption: {caption}\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```\n"


def markdown(docstring: str) -> str:
    """A docstring as it is written here, as Markdown: sections become lists, examples become code."""
    text = re.sub(
        r"^(\w+):\n((?: {4}.*\n?|\n)+)", _section, inspect.cleandoc(docstring) + "\n", flags=re.MULTILINE
    )
    return re.sub(r"(^(?:>>>|\.\.\.) .*\n(?:(?!\n).*\n?)*)", r"```pycon\n\1```\n", text, flags=re.MULTILINE)


def _section(found: re.Match[str]) -> str:
    body = inspect.cleandoc(found[2])
    items = re.sub(r"^(\S[^:\n]*): ", r"- `\1`: ", body, flags=re.MULTILINE)
    return f"**{found[1]}**\n\n{items}\n\n"


def of_binarizer(name: str) -> str:
    """The page of a binarizer: what its class says, its curves, and what it makes of the golden vector."""
    kind = type(binarizers.get(name))
    module = inspect.getmodule(kind)
    assert module is not None
    x = X.clone().unsqueeze(1).requires_grad_()
    features = len(X) if binarizers.get(name).channel_axis == 0 else 1
    binarizer = binarizers.get(name, features=features).eval()
    value = binarizer(x)
    value.sum().backward()
    assert x.grad is not None
    rows = zip(X.tolist(), value.flatten().tolist(), x.grad.flatten().tolist(), strict=True)
    table = "\n".join(f"| {a:g} | {b:.4g} | {c:.4g} |" for a, b, c in rows)
    return (
        f"# {name}\n\n{markdown(inspect.getdoc(kind) or '')}\n\n"
        f"![Value and gradient of {name}](../pictures/{name}.svg)\n\n## On nine numbers\n\n"
        "Each alone in its row, as the class starts, in evaluation; the gradient is that of the sum.\n\n"
        f"| x | value | gradient to x |\n|---:|---:|---:|\n{table}\n\n"
        f"## The paper\n\n{markdown(inspect.getdoc(module) or '')}\n"
    )


def of_recipes() -> str:
    """The page of all recipes: which binarizer stands where."""
    rows = [
        "| recipe | weights | inputs | inputs that are never negative | queries, keys, values | attention | other |"
    ]
    rows.append("|---" * 7 + "|")
    for name in recipes.names():
        recipe = recipes.get(name)
        plain = recipes.Recipe("plain", recipe.weight).to_dict()
        other = {
            key: value for key, value in recipe.to_dict().items() if key not in ("name", "overrides", *ROLES)
        }
        told = [f"pictures: {_choice(recipe.input)}"] if recipe.input else []
        told += [f"{key.replace('_', ' ')}: {value}" for key, value in other.items() if value != plain[key]]
        told += [
            f"{role} of {pattern}: {_choice(choice) or 'float'}"
            for pattern, changes in recipe.overrides
            for role, choice in changes.items()
        ]
        found = {role: _choice(getattr(recipe, role)) for role in ROLES}
        heads = "; ".join(dict.fromkeys(found[role] for role in ("query", "key", "value")))
        inputs = found["activation"], found["nonneg_activation"] or "the same" * bool(found["activation"])
        cells = [found["weight"], *inputs, heads, found["attention"], "; ".join(told)]
        rows.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return (
        "# Recipes\n\nWhich binarizer stands where; `binviz.binarize_(model, NAME)` puts them there. "
        "An empty cell is float.\n\n" + "\n".join(rows) + "\n"
    )


def _choice(choice: recipes.Choice | None) -> str:
    if choice is None:
        return ""
    options = ", ".join(f"{key} {value}" for key, value in choice.options.items())
    return f"{choice.binarizer}{f' ({options})' if options else ''}"


def of_claims() -> str:
    """The page of all claims, from the records that come with the package."""
    entries = ledger.ledger(questions(None))
    head = "| verdict | claim | on | ours | theirs | p, Holm's | would be seen |"
    rows = [head, "|---" * 7 + "|", *map(_claim, entries)]
    return (
        "# Claims\n\nWhat papers say, as inequalities that were written down before their runs, and what small models "
        "on one processor core found. `binviz claims` prints this list, and the dashboard's page *Evidence* has all "
        f"of it. {ledger.summary(entries)} {ledger.correction(entries)}\n\n" + "\n".join(rows) + "\n"
    )


def _claim(entry: ledger.Entry) -> str:
    found, claim = entry.finding, entry.claim
    ours = " ".join(filter(None, (ledger.amount(found.difference, claim), f"({ledger.interval(entry)})")))
    cells = (
        entry.after,
        f"{claim.text} ({entry.paper}, {claim.source})".replace("|", "\\|"),
        entry.task,
        ours.replace(" ()", "") if found.seeds else "",
        ledger.amount(entry.theirs, claim),
        ", ".join(filter(None, (ledger.probability(found.p), ledger.probability(entry.corrected)))),
        would_be_seen(found).removesuffix(" would be seen") if found.seeds else "",
    )
    return f"| {' | '.join(cells)} |"


def write(source: Path) -> None:
    """All pages but the API's, as Markdown and notebooks."""
    (source / "conf.py").write_text(CONFIG.format(here=str(HERE)), "utf-8")
    for folder in ("course", "binarizers"):
        (source / folder).mkdir()
    shutil.copytree(HERE / "binarizers", source / "pictures")
    for notebook in COURSE:
        shutil.copy(notebook, source / "course")
    for name in binarizers.names():
        (source / "binarizers" / f"{name}.md").write_text(of_binarizer(name), "utf-8")
    for name in WRITTEN:
        text = (HERE / f"{name}.md").read_text("utf-8")
        text = re.sub(r"\]\(\.\./notebooks/(?:solutions/)?(\w+\.ipynb)", r"](course/\1", text)
        text = re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", text)  # other files are not in the book
        text = text.replace("](binarizers/", "](pictures/")
        (source / f"{name}.md").write_text(text, "utf-8")
    (source / "recipes.md").write_text(of_recipes(), "utf-8")
    (source / "claims.md").write_text(of_claims(), "utf-8")
    said = (ROOT / "README.md").read_text("utf-8").split("\n\n")[1]
    index = [
        f"# binviz\n\n{said}\n\n<a href='api/binviz.html'>The API</a>, from the docstrings.\n",
        toc("Course", [f"course/{notebook.stem}" for notebook in COURSE]),
        toc("Binarizers", [f"binarizers/{name}" for name in binarizers.names()]),
        toc("Reference", ["recipes", "claims", *WRITTEN]),
    ]
    (source / "index.md").write_text("\n".join(index), "utf-8")


def main(folder: Path) -> int:
    """Sphinx's exit status; warnings are errors."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "source"
        source.mkdir()
        write(source)
        status = sphinx(
            ["-b", "html", "-W", "--keep-going", "-q", "-d", f"{temporary}/trees", str(source), str(folder)]
        )
    for name in binviz.__all__:
        setattr(
            binviz, name, getattr(binviz, name)
        )  # pdoc does not ask for what is imported when it is needed
    pdoc.render.configure(docformat="google", search=False)
    with warnings.catch_warnings(
        action="ignore"
    ):  # of annotations whose names are imported for checkers alone
        pdoc.pdoc(*modules(), output_directory=folder / "api")
    return status


def modules() -> list[str]:
    """Those that say what is public in them, and the packages around them."""
    found = []
    for package in (binviz, binviz_kernels):
        found.append(package.__name__)
        for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not each.name.rpartition(".")[2].startswith("_") and hasattr(
                import_module(each.name), "__all__"
            ):
                found.append(each.name)
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "_build" / "book")))
