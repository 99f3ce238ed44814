"""The criteria by name: every module of the folder ``criteria`` is one. Reading the names imports none of them."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from compress.errors import ConfigError
from compress.pruning import criteria

if TYPE_CHECKING:
    from compress.pruning.criterion import Criterion, Images


def criterion_names() -> tuple[str, ...]:
    """Names that ``make_criterion`` takes, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(criteria.__path__)))


def make_criterion(name: str, images: "Images") -> "Criterion":
    """The criterion of this name.

    Args:
        name: one of ``criterion_names()``.
        images: makes the images that the criterion looks at; called only if it looks at any.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in criterion_names():
        raise ConfigError(f"expected a criterion, one of {', '.join(criterion_names())}; received {name!r}")
    made: Criterion = importlib.import_module(f"{criteria.__name__}.{name}").criterion(images)
    return made
