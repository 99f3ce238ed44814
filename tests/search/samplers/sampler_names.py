"""Names of the samplers for tests that try them all; those whose packages are missing are skipped."""

from importlib.util import find_spec

import pytest

from search.samplers.registry import sampler_kinds

KINDS = [kind for kind in sampler_kinds().values() if not kind.reference]


def _param(kind):
    package, name = kind.package, kind.name
    missing = package is not None and find_spec(package) is None
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"needs {package}: the extra samplers"))


ALL = [_param(kind) for kind in KINDS]
FAST = [_param(kind) for kind in KINDS if kind.name != "gp"]
"""Those whose proposals take milliseconds."""
