"""Names of the layers that decomposition makes, and messages about names that a model does not have."""

import difflib
from collections.abc import Sequence

FIRST_SUFFIX = "_tucker_0"
CORE_SUFFIX = "_tucker_1"
LAST_SUFFIX = "_tucker_2"
SVD_SUFFIXES = ("_svd_0", "_svd_1")
CP_SUFFIXES = ("_cp_0", "_cp_1", "_cp_2")
SUFFIXES = (FIRST_SUFFIX, CORE_SUFFIX, LAST_SUFFIX, *SVD_SUFFIXES, *CP_SUFFIXES)
LAST_SUFFIXES = (LAST_SUFFIX, SVD_SUFFIXES[-1], CP_SUFFIXES[-1])
"""Of the parts that make the decomposed layer's own channels."""


def decomposed_layer(name: str) -> str | None:
    """The layer that was decomposed into one of this name, or None where it is no part."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), None)


def not_exact(layers: Sequence[str]) -> str:
    """One line on layers that normalize across channels that may go, empty where there are none."""
    names = ", ".join(f"'{name}'" for name in layers)
    return f"not exact: normalized across channels, over those that stay: {names}" if layers else ""


def unknown_name(what: str, name: str, known: Sequence[str]) -> str:
    """Message about a name that the model does not have, with the names nearest to it."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = "nearest: " + ", ".join(f"'{other}'" for other in near) if near else f"the model has {len(known)} others"
    return f"unknown {what} '{name}'; {hint}"
