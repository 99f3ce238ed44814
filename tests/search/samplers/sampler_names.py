"""Names of the samplers for tests that try them all; those whose packages are missing are skipped."""

from importlib.util import find_spec

import pytest

from search.samplers.registry import SAMPLERS

_NEEDS = {"gp": "torch", "cmaes": "cmaes"}


def _param(name):
    package = _NEEDS.get(name)
    missing = package is not None and find_spec(package) is None
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"needs {package}: the extra samplers"))


ALL = [_param(name) for name in SAMPLERS]
FAST = [_param(name) for name in SAMPLERS if name != "gp"]
"""Those whose proposals take milliseconds."""
