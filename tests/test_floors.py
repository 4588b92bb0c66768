"""The rooms of binviz stand on floors: each imports only from those below, lazy imports included."""

import ast
import functools
from pathlib import Path

import binviz

ROOT = Path(binviz.__file__).parent
FLOORS = (
    ("errors",),
    ("files", "reading", "registry", "words"),
    ("binarizers",),
    ("layers",),
    ("adapters", "recipes"),
    ("convert", "networks"),
    ("packed",),
    ("saving", "data", "evidence"),
    ("analysis", "costs", "zoo"),
    ("losses",),
    ("tasks",),
    ("training", "check"),
    ("plots",),
    ("experiments", "playground", "bench"),
    ("cli",),
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module: str) -> str:
    """The room of a module's dotted name; of a name that the facade `binviz` gives, the room that holds it."""
    name = module.split(".")[1]
    return binviz._HOME.get(name, name)


def imported(path: Path) -> set[str]:
    """Rooms that a file imports from, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("binviz.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "binviz":
            found |= {f"binviz.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("binviz."):
            found.add(node.module)
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "binviz"
        ):
            found.add(f"binviz.{node.attr}")
    return {room_of(module) for module in found if not module.startswith(("binviz.UserError", "binviz.__"))}


@functools.cache
def arrows() -> dict[str, set[str]]:
    """Room -> the rooms that it imports from."""
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room not in ("__init__", "__main__"):
            found.setdefault(room, set()).update(imported(path) - {room})
    return found


def test_every_room_has_a_floor():
    assert set(arrows()) == set(HEIGHT)


def test_no_arrow_runs_up_or_across():
    """Rooms of one floor do not import one another, so there can be no circle."""
    wrong = {
        f"{room} -> {below}"
        for room, rooms in arrows().items()
        for below in rooms
        if HEIGHT[below] >= HEIGHT[room]
    }
    assert not wrong
