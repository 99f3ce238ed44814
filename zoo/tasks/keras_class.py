"""A class of Keras by its name and options, as configurations give optimizers, losses and augmentation layers."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from compress.errors import ConfigError, typed_line


@dataclass(frozen=True)
class KerasClass:
    """What to make an object of.

    Attributes:
        name: of the class, in capitals or with underscores: ``AdamW``, ``adam_w``.
        options: arguments of the class.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, classes: Mapping[str, Any], key: str, /, **given: Any) -> Any:
        """An object of the class, of the options and what is given beside them.

        Args:
            classes: by their names in Keras.
            key: of the configuration, for messages.
            given: arguments that are no options: the caller decides them.

        Raises:
            ConfigError: an unknown name, an option that is given, or options that the class refuses.
        """
        name = class_name(self.name, classes, key)
        twice = sorted(set(given) & set(self.options))
        if twice:
            raise ConfigError(
                f"{key}.options: expected no {', '.join(twice)} for {name}, which is set elsewhere; leave it out"
            )
        try:
            return classes[name](**self.options, **given)
        except Exception as error:  # Keras raises errors of many types for options.
            raise ConfigError(
                f"{key}: expected options that {name} takes, received {dict(self.options)}: {typed_line(error)}"
            ) from error


def class_name(name: str, classes: Mapping[str, Any], key: str) -> str:
    """The name of the class that is meant, whatever its capitals and underscores.

    Raises:
        ConfigError: there is none, with those of a similar name.
    """
    known, hint = known_as(name, classes, f"; there are {', '.join(sorted(classes))}")
    if known is None:
        raise ConfigError(f"{key}: expected the name of a class of Keras, received {name!r}{hint}")
    return known


def known_as(name: str, names: Iterable[str], otherwise: str) -> tuple[str | None, str]:
    """The name that is meant, whatever its capitals and underscores, None where there is none, and a message's end.

    otherwise: the hint where no name is similar.
    """
    by_key = {plain_name(known): known for known in names}
    near = [by_key[plain] for plain in get_close_matches(plain_name(name), by_key, n=3)]
    return by_key.get(plain_name(name)), f"; did you mean {' or '.join(near)}?" if near else otherwise


def subclasses(module: ModuleType, base: type) -> dict[str, Any]:
    """The classes that a module of Keras offers below a base class, by name."""
    classes = {name: kind for name, kind in vars(module).items() if inspect.isclass(kind)}
    return {name: kind for name, kind in classes.items() if issubclass(kind, base) and kind is not base}


def plain_name(name: str) -> str:
    """The name in small letters without underscores."""
    return name.replace("_", "").lower()
