"""Registration by being there: a module of a package adds something by holding an object of a certain class."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

_Kind = TypeVar("_Kind")


def registered(package: str, kind: type[_Kind]) -> list[_Kind]:
    """The objects of a class at the top level of a package's modules, each once, by the names of the modules.

    package: dotted name; all modules that lie in it are imported.
    """
    paths = import_module(package).__path__
    modules = [import_module(f"{package}.{module.name}") for module in iter_modules(paths)]
    values = [value for module in modules for value in vars(module).values() if isinstance(value, kind)]
    return list({id(value): value for value in values}.values())
