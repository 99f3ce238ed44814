"""The samplers that a configuration can choose, by name."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec

from compress.errors import ConfigError
from compress.registration import registered
from search.samplers.sampler import Options, SamplerContext, SamplerKind, Samplers


def sampler_kinds() -> Mapping[str, SamplerKind]:
    """The samplers that can be chosen, by name."""
    return {kind.name: kind for kind in registered("search.samplers.kinds", SamplerKind)}


def sampler_kind(name: str) -> SamplerKind:
    """The sampler of a name as a configuration gives it.

    Raises:
        ConfigError: an unknown name; lists the known ones.
    """
    kinds, (first, colon, reference) = sampler_kinds(), name.partition(":")
    kind = kinds.get(first)
    if kind is None or bool(colon) != bool(kind.reference) or (colon and not reference):
        expected = ", ".join(one.shown for one in kinds.values())
        raise ConfigError(f"search.sampler: expected one of {expected}; received {name!r}")
    return kind


def samplers(name: str, options: Options, context: SamplerContext) -> Samplers:
    """The samplers of a run.

    Raises:
        ConfigError: an unknown name, a package that is missing or cannot be loaded, or a sampler that needs projection
            in a search without.
        TypeError, ValueError: options that the sampler refuses; see `search.samplers.check.check_sampler`.
    """
    kind = sampler_kind(name)
    if kind.needs_projection and not context.projection:
        raise ConfigError(
            f"search.sampler: expected another sampler than {name} where search.projection is false, because it learns "
            f"from what projected proposals keep, received {name}; set search.sampler, for instance to tpe"
        )
    if kind.package is not None and find_spec(kind.package) is None:
        raise ConfigError(
            f"search.sampler: expected the package {kind.package}, which {name} needs, received an installation "
            "without it; install the extra: pip install 'tuckprune[samplers]'"
        )
    return kind.make(replace(context, reference=name.partition(":")[2]), options)
