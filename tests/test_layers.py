"""Packages and their rooms import one way, every room has a door, and pieces stay small."""

import ast
import importlib
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "compress": (),
    "zoo": ("compress.errors", "compress.registration", "compress.disk"),
    "configs": (
        "compress.errors",
        "compress.pruning.registry",
        "objectives.cost.quantity",
        "zoo.data.source",
        "zoo.tasks.registry",
        "zoo.training.schedule",
    ),
    "objectives": ("compress", "zoo"),
    "search": ("compress", "objectives", "configs", "zoo"),
}
ROOMS = {
    "compress": (
        ("errors", "registration"),
        ("parameters", "disk"),
        ("cloning",),
        ("graph",),
        ("pruning", "decomposition", "staged_parameters", "parameter_files", "model_files"),
        ("recommend", "recipe"),
    ),
    "zoo": (("tasks", "kernels"), ("data", "models"), ("training",)),
    "configs": (("schema",), ("load",)),
    "objectives": (("cost", "network"), ("budget", "score", "fitting")),
    "search": (
        ("environment",),
        ("study",),
        ("space", "workers"),
        ("samplers",),
        ("driver",),
        ("settings",),
        ("runs",),
        ("strategies", "report"),
        ("pipeline",),
        ("cli",),
    ),
}
"""Rooms of each package from the lowest row up; a room imports rooms of lower rows only, and none of its own row."""

FILES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))
DOORS = [path for path in FILES if path.name == "__init__.py"]
FOLDERS = sorted({path.parent for path in FILES} | {path.parent for path in (ROOT / "tests").rglob("*.py")})
MAX_FILE, MAX_FUNCTION, MAX_FOLDER = 300, 60, 14


def imported_names(tree, module):
    """Dotted names that a module imports; `from a import b` counts as a.b, relative imports are resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = [*package, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def floor(package, room):
    """Row of a room in its package's list; None for what is no room of it."""
    return next((row for row, rooms in enumerate(ROOMS[package]) if room in rooms), None)


def forbidden_imports(source, module):
    """Names that a module must not import: of another package that it may not know, of its own package's rooms above.

    Doors may look into their own room and everything below it; ``__main__`` may look anywhere.
    """
    package, *rest = module.split(".")
    forbidden = []
    for name in imported_names(ast.parse(source), module):
        other, *places = name.split(".")
        if other == package and places:
            mine, theirs = (
                floor(package, rest[0]) if rest and rest != ["__main__"] else len(ROOMS[package]),
                floor(package, places[0]),
            )
            if theirs is None or (places[0] != (rest[0] if rest else None) and theirs >= mine):
                forbidden.append(name)
        elif other in ALLOWED and other != package:
            if not any(f"{name}.".startswith(f"{prefix}.") for prefix in ALLOWED[package]):
                forbidden.append(name)
    return forbidden


def import_circle(sources):
    """Modules that import one another in a circle, the first of them again at the end; none where there is no circle.

    Imports in functions and those for types alone count, too.

    sources: of modules, by their dotted names.
    """
    edges = {
        module: {known_module(name, sources) for name in imported_names(ast.parse(source), module)} - {module, None}
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def known_module(name, sources):
    """The module that a dotted name lies in, or is; None where it is none of these."""
    parts = name.split(".")
    places = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((place for place in places if place in sources), None)


def oversized(source):
    """What is too long: the whole file, or functions by name."""
    lines = len(source.splitlines())
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION]
    return long + ([f"file of {lines} lines"] if lines > MAX_FILE else [])


def entries(folder):
    """Files and folders that a reader sees; a door and its stub count as one."""
    return [path for path in folder.iterdir() if path.name != "__pycache__" and path.suffix != ".pyi"]


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_package_and_every_room_is_seen():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(ALLOWED) == set(ROOMS)
    for package, rows in ROOMS.items():
        rooms = {path.stem for path in entries(ROOT / package) if path.is_dir() or path.suffix == ".py"} - {"__init__"}
        assert rooms - {"__main__"} == {room for row in rows for room in row}


def test_imports_go_one_way():
    wrong = {module_of(path): forbidden_imports(path.read_text(encoding="utf-8"), module_of(path)) for path in FILES}
    assert {module: names for module, names in wrong.items() if names} == {}


def test_no_modules_import_one_another_in_a_circle():
    sources = {module_of(path): path.read_text(encoding="utf-8") for path in FILES if path not in DOORS}
    assert import_circle(sources) == []


def test_no_script_imports_from_the_tests():
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "scripts").rglob("*.py")}
    names = {path.name: list(imported_names(ast.parse(source), module_of(path))) for path, source in sources.items()}
    assert sources and [name for name, imported in names.items() if any(n.startswith("tests") for n in imported)] == []


def test_pieces_are_small():
    wrong = {module_of(path): oversized(path.read_text(encoding="utf-8")) for path in FILES}
    assert {module: pieces for module, pieces in wrong.items() if pieces} == {}


def test_folders_are_small():
    sizes = {str(folder.relative_to(ROOT)): len(entries(folder)) for folder in FOLDERS}
    assert {folder: size for folder, size in sizes.items() if size > MAX_FOLDER} == {}


@pytest.mark.parametrize("path", DOORS, ids=module_of)
def test_every_door_says_what_its_room_is_for_and_opens(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    paragraph = ast.get_docstring(tree) or ""
    assert 20 < len(paragraph) < 500 and "\n\n" not in paragraph
    door = importlib.import_module(module_of(path))
    assert door.__all__ and all(hasattr(door, name) for name in door.__all__)
    # Of two things of one name, a function and the module that it lies in, only one can be had from the door.
    assert {entry.stem for entry in entries(path.parent)}.isdisjoint(set(door.__all__) - {"main"})


def test_importing_the_packages_loads_no_heavy_library():
    names = ", ".join(module_of(path) for path in DOORS)
    code = (
        f"import sys, {names}; print({{'tensorflow', 'keras', 'ray', 'optuna', 'plotly', 'typer'}} & set(sys.modules))"
    )
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == "set()\n"


@pytest.mark.parametrize(
    ("source", "module", "forbidden"),
    [
        ("import search.study", "compress.graph.analysis", ["search.study"]),
        ("def f():\n    from objectives import cost", "compress.graph.analysis", ["objectives.cost"]),
        ("from compress import errors, graph", "zoo.data.sources.bundled", ["compress.graph"]),
        ("from compress.errors import DataError", "zoo.data.sources.bundled", []),
        ("from . import nets\nfrom ..models.resnet import build", "zoo.training.fit", []),
        ("import zoo.models", "configs.schema.run", ["zoo.models"]),
        ("import compress.graph, zoo.training, configs.schema", "objectives.cost.cost", ["configs.schema"]),
        ("from search.study import Study", "objectives.cost.cost", ["search.study.Study"]),
        ("import objectives.cost, compress.graph, numpy", "search.study.journal", []),
        ("import compression, searching", "compress.graph.analysis", []),
        ("from search.driver.driver import Driver", "search.study.journal", ["search.driver.driver.Driver"]),
        ("from search.study.journal import together", "search.driver.driver", []),
        ("from search.space.space import SearchSpace", "search.workers.pool", ["search.space.space.SearchSpace"]),
        ("from search.driver.finals import Finals", "search.driver.driver", []),
        ("from search import settings", "search.runs.points", []),
        ("from search import settings", "search.driver.driver", ["search.settings"]),
        ("from search.nowhere import thing", "search.cli.app", ["search.nowhere.thing"]),
        ("from search.environment import prepare_environment", "search", []),
    ],
)
def test_the_import_rule(source, module, forbidden):
    assert forbidden_imports(source, module) == forbidden


@pytest.mark.parametrize(
    ("first", "last", "is_circle"),
    [
        ("from search.b import thing", "import os", False),
        ("from search.b import thing", "from search.a import other", True),
        ("import search.b", "def f():\n    from search import a", True),
        ("from search.b import thing", "from . import a", True),
        ("from search.b import thing", "if TYPE_CHECKING:\n    from search.c import Thing", True),
        ("from search import b", "from search import b, d", False),
    ],
)
def test_the_circle_rule(first, last, is_circle):
    """The first module imports the second, and the third the first."""
    sources = {"search.a": first, "search.b": last, "search.c": "from search.a import thing"}
    circle = import_circle(sources)
    assert bool(circle) == is_circle and (
        not circle or (circle[0] == circle[-1] and {"search.a", "search.b"} <= {*circle})
    )


def test_the_size_rule():
    body = "    pass\n"
    assert oversized("def short():\n" + body * 59) == []
    assert oversized("class C:\n  async def long(self):\n" + body * 60) == ["long"]
    assert oversized("x = 1\n" * 301) == ["file of 301 lines"]
