"""A user's class or function packed with the code that it runs, for processes and machines that lack its module."""

import hashlib
import inspect
import linecache
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

_INSTALLED = ("site-packages", "dist-packages")
_INTERPRETER = tuple(Path(folder) for folder in (sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")))
_OURS = ("compress", "configs", "objectives", "search", "zoo")


@dataclass(frozen=True)
class ByValue:
    """A class or function that other processes get with its code.

    Attributes:
        reference: ``module:name``.
        content: as `packed` packs it.
        source: SHA-256 of the file that defines it, empty where there is none.
    """

    reference: str
    content: bytes = field(repr=False)
    source: str


def packed(kind: Any) -> bytes:
    """The class or function and all that its module, and those beside it, give it; installed packages are named.

    Functions that TensorFlow has traced cannot be packed, so that it is done before the class is used.
    """
    from ray import cloudpickle

    modules = _modules(kind)
    with _by_value(modules):
        content: bytes = cloudpickle.dumps((kind, _sources(modules)))
    return content


def unpacked(content: bytes) -> Any:
    """What `packed` packed; of a class, in the process that did, the same one."""
    from ray import cloudpickle

    kind, sources = cloudpickle.loads(content)
    for file, text in sources.items():
        # TensorFlow reads the code of what it traces: it has to be that of the class, whatever becomes of the file.
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    return kind


def code_digest(kind: Any) -> str:
    """SHA-256 of the file that defines a class or a function; empty where there is none."""
    try:
        return hashlib.sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest()
    except (OSError, TypeError):  # Made in a console, or in a module without a file.
        return ""


def _sources(modules: list[ModuleType]) -> dict[str, str]:
    """The code of the modules and of those within them, by file."""
    names = {module.__name__ for module in modules}
    within = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in names]
    files = {str(file) for file in (getattr(module, "__file__", None) for module in within) if file}
    return {file: Path(file).read_text(encoding="utf-8") for file in sorted(files) if file.endswith(".py")}


@contextmanager
def _by_value(modules: list[ModuleType]) -> Iterator[None]:
    from ray import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    added = [module for module in modules if module.__name__ not in known]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def _modules(kind: Any) -> list[ModuleType]:
    """Its module, or the package that holds it, and what was imported from the same folder."""
    own = sys.modules[kind.__module__.partition(".")[0]]
    file = getattr(own, "__file__", None)
    if file is None or _is_installed(Path(file)):
        return [own]
    folder = Path(file).parents[1 if hasattr(own, "__path__") else 0]
    return [own, *(module for module in _imported() if module is not own and _is_below(module, folder))]


def _imported() -> list[ModuleType]:
    """Modules that are not within others, each once, and without the program that runs, which may have two names."""
    program = sys.modules.get("__main__")
    named = [(name, module) for name, module in list(sys.modules.items()) if "." not in name and name not in _OURS]
    return [one for name, one in named if one is not program and getattr(one, "__name__", None) == name]


def _is_below(module: ModuleType, folder: Path) -> bool:
    """Whether a module lies in a folder, and not in that of an interpreter within it."""
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_relative_to(folder) or _is_installed(Path(file)):
        return False
    return not any(Path(file).is_relative_to(one) for one in _INTERPRETER if not folder.is_relative_to(one))


def _is_installed(file: Path) -> bool:
    return any(part in _INSTALLED for part in file.parts)
