"""The packages import one way, and stay in small pieces."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "compress": (),
    "zoo": ("compress.errors",),
    "configs": ("compress.errors",),
    "objectives": ("compress", "zoo", "configs"),
    "search": ("compress", "objectives", "configs", "zoo"),
}
FILES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 300, 60


def imported_names(tree, module):
    """Dotted names that a module imports; `from a import b` counts as a.b, relative imports are resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = [*package, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def forbidden_imports(source, module):
    package = module.split(".")[0]
    allowed = (package, *ALLOWED[package])
    ours = (name for name in imported_names(ast.parse(source), module) if name.split(".")[0] in ALLOWED)
    return [name for name in ours if not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)]


def oversized(source):
    """What is too long: the whole file, or functions by name."""
    lines = len(source.splitlines())
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION]
    return long + ([f"file of {lines} lines"] if lines > MAX_FILE else [])


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_package_is_seen():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_one_way(path):
    assert forbidden_imports(path.read_text(encoding="utf-8"), module_of(path)) == []


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_pieces_are_small(path):
    assert oversized(path.read_text(encoding="utf-8")) == []


def test_importing_the_packages_loads_no_heavy_library():
    names = ", ".join(module_of(path).removesuffix(".__init__") for path in FILES if path.name == "__init__.py")
    code = f"import sys, {names}; print({{'tensorflow', 'keras', 'ray', 'optuna'}} & set(sys.modules))"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == "set()\n"


@pytest.mark.parametrize(
    ("source", "module", "forbidden"),
    [
        ("import search.study", "compress.graph", ["search.study"]),
        ("def f():\n    from objectives import cost", "compress.graph", ["objectives.cost"]),
        ("from compress import errors, graph", "zoo.data.digits", ["compress.graph"]),
        ("from compress.errors import DataError", "zoo.data.digits", []),
        ("from . import nets\nfrom ..models.resnet import build", "zoo.data.digits", []),
        ("import zoo.models", "configs.schema", ["zoo.models"]),
        ("import compress.graph, zoo.training, configs.schema", "objectives.cost", []),
        ("from search.study import Study", "objectives.cost", ["search.study.Study"]),
        ("import objectives.cost, compress.graph, numpy", "search.study", []),
        ("import compression, searching", "compress.graph", []),
    ],
)
def test_the_import_rule(source, module, forbidden):
    assert forbidden_imports(source, module) == forbidden


def test_the_size_rule():
    body = "    pass\n"
    assert oversized("def short():\n" + body * 59) == []
    assert oversized("class C:\n  async def long(self):\n" + body * 60) == ["long"]
    assert oversized("x = 1\n" * 301) == ["file of 301 lines"]
