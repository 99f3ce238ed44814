"""Samplers of OptunaHub: packages in a public repository, loaded when they are asked for."""

import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from optuna.samplers import BaseSampler

from compress.errors import ConfigError, foreign_code
from search.samplers.sampler import Options, SamplerContext, Samplers, sampler

_REFERENCE = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*(:\w+)?")
_LIBRARIES = ("optuna", "optunahub")


def hub_sampler(reference: str, options: Mapping[str, Any], seed: int) -> BaseSampler:
    """The sampler of a package, with these options and, where its class takes one, this seed.

    Args:
        reference: ``package`` or ``package:ClassName``.
        options: arguments of the class.
        seed: of the run.

    Raises:
        ConfigError: a malformed reference, OptunaHub is not installed, or the package cannot be loaded or has not
            exactly one such sampler.
        TypeError, ValueError: options that the class refuses.
    """
    if not _REFERENCE.fullmatch(reference):
        raise ConfigError(
            "search.sampler: expected a package of OptunaHub such as optunahub:samplers/auto_sampler, or "
            f"optunahub:<package>:<class>, received 'optunahub:{reference}'"
        )
    package, _, name = reference.partition(":")
    kind = _sampler_class(_loaded(package), package, name)
    seeded = {"seed": seed} if "seed" in inspect.signature(kind).parameters else {}
    return kind(**options, **seeded)


def _loaded(package: str) -> ModuleType:
    try:
        import optunahub
    except ImportError as error:
        raise ConfigError(
            f"search.sampler: expected the package optunahub, received {error}; install the extra: "
            "pip install 'tuckprune[samplers]'"
        ) from error
    # Git, GitHub, the network and the package's imports raise errors of their own.
    with foreign_code(
        lambda line: ConfigError(
            f"search.sampler: expected the package {package!r} of OptunaHub, received {line}; "
            "check its name, what it needs to be installed, and that github.com can be reached (a package that was "
            "loaded once stays in OptunaHub's cache)"
        )
    ):
        module: ModuleType = optunahub.load_module(package=package)
        return module


def _sampler_class(module: ModuleType, package: str, name: str) -> type[BaseSampler]:
    """The sampler of this name in a package, or its only one."""
    public = getattr(module, "__all__", None) or vars(module)
    classes: dict[str, type[BaseSampler]] = {
        key: getattr(module, key) for key in public if _is_own_sampler(getattr(module, key))
    }
    wanted = {key: value for key, value in classes.items() if key == name or not name}
    if len(wanted) == 1:
        return next(iter(wanted.values()))
    raise ConfigError(
        f"search.sampler: expected {f'the sampler {name}' if name else 'a single sampler'} in the package {package!r} "
        f"of OptunaHub, received {', '.join(classes) or 'none'}; give one as optunahub:{package}:ClassName"
    )


def _is_own_sampler(value: object) -> bool:
    """Whether a value is a sampler's class that is not one of Optuna's own."""
    if not (inspect.isclass(value) and issubclass(value, BaseSampler)):
        return False
    return value.__module__.split(".")[0] not in _LIBRARIES


@sampler(
    "optunahub",
    "a sampler of OptunaHub, whose code is loaded from its repository",
    "those of the class",
    reference="<package>[:<class>]",
)
def optunahub(context: SamplerContext, options: Options) -> Samplers:
    """One sampler object for the whole run, seeded by the run.

    A package may keep its state in the object, so it cannot be made anew for each trial. Where it does, a resumed
    search may propose something else than an uninterrupted one.
    """
    made = hub_sampler(context.reference, options, context.seed)
    return lambda trial: made
