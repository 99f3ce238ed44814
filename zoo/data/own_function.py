"""A function of the user's own that returns data, ``module:function``; other processes get it with its code."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from compress.errors import DataError, foreign_code, working_directory_importable
from zoo.tasks.by_value import ByValue, code_digest, packed, unpacked


@dataclass(frozen=True)
class OwnFunction(ByValue):
    """A function without arguments that returns data, ``module:function``."""

    @classmethod
    def load(cls, reference: str) -> Self:
        """Import the module, from the working directory too.

        Raises:
            DataError: no such module or function, or code that cannot be sent.
        """
        with working_directory_importable():
            function = imported_function(reference)
        explained = f"expected a function that can be sent to workers as {reference}"
        with foreign_code(lambda line: DataError(f"{explained}, received {line}")):
            return cls(reference, packed(function), code_digest(function))

    def __call__(self) -> Any:
        """What the function returns.

        Raises:
            DataError: the function fails.
        """
        with working_directory_importable():
            return returned(unpacked(self.content), self.reference)


def imported_function(reference: str) -> Callable[[], Any]:
    """The function ``module:function``.

    Raises:
        DataError: no such module or function.
    """
    module_name, _, function_name = reference.partition(":")
    with foreign_code(lambda line: DataError(f"expected an importable module in {reference!r}, received {line}")):
        module = importlib.import_module(module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise DataError(f"expected a function {function_name!r} in module {module_name!r}, received {function!r}")
    known: Callable[[], Any] = function
    return known


def returned(function: Callable[[], Any], reference: str) -> Any:
    """What a function of the user's returns.

    Raises:
        DataError: whatever the function raises, `sys.exit` included.
    """
    with foreign_code(lambda line: DataError(f"expected data from {reference!r}, received {line}")):
        return function()
