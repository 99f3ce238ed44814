"""Samplers of OptunaHub: packages in a public repository, loaded when they are asked for."""

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from optuna.samplers import BaseSampler

from compress.errors import ConfigError, typed_line

HUB = "optunahub:"
"""What names of such samplers begin with: ``optunahub:samplers/auto_sampler``, with ``:ClassName`` if need be."""

_LIBRARIES = ("optuna", "optunahub")


def hub_sampler(reference: str, options: Mapping[str, Any], seed: int) -> BaseSampler:
    """The sampler of a package, with these options and, where its class takes one, this seed.

    Args:
        reference: ``package`` or ``package:ClassName``.
        options: arguments of the class.
        seed: of the run.

    Raises:
        ConfigError: OptunaHub is not installed, the package cannot be loaded, or has not exactly one such sampler.
        TypeError, ValueError: options that the class refuses.
    """
    package, _, name = reference.partition(":")
    found = _sampler_class(_loaded(package), package, name)
    seeded = {"seed": seed} if "seed" in inspect.signature(found).parameters else {}
    return found(**options, **seeded)


def _loaded(package: str) -> ModuleType:
    try:
        import optunahub
    except ImportError as error:
        raise ConfigError(
            f"search.sampler: expected the package optunahub, received {error}; install the extra: "
            "pip install 'tuckprune[samplers]'"
        ) from error
    try:
        module: ModuleType = optunahub.load_module(package=package)
    except Exception as error:  # Git, GitHub, the network and the package's own imports each raise their own.
        raise ConfigError(
            f"search.sampler: expected the package {package!r} of OptunaHub, received {typed_line(error)}; "
            "check its name, what it needs to be installed, and that github.com can be reached (a package that was "
            "loaded once stays in OptunaHub's cache)"
        ) from error
    return module


def _sampler_class(module: ModuleType, package: str, name: str) -> type[BaseSampler]:
    """The sampler of this name in a package, or its only one."""
    public = getattr(module, "__all__", None) or vars(module)
    found: dict[str, type[BaseSampler]] = {
        key: getattr(module, key) for key in public if _is_own_sampler(getattr(module, key))
    }
    wanted = {key: value for key, value in found.items() if key == name or not name}
    if len(wanted) == 1:
        return next(iter(wanted.values()))
    raise ConfigError(
        f"search.sampler: expected {f'the sampler {name}' if name else 'a single sampler'} in the package {package!r} "
        f"of OptunaHub, received {', '.join(found) or 'none'}; give one as {HUB}{package}:ClassName"
    )


def _is_own_sampler(value: object) -> bool:
    """Whether this is a sampler's class that Optuna itself does not bring."""
    if not (inspect.isclass(value) and issubclass(value, BaseSampler)):
        return False
    return value.__module__.split(".")[0] not in _LIBRARIES
