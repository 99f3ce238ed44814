"""Colours of the report: told apart by colour-blind eyes, on white and on black, and the same in every figure."""

from collections.abc import Mapping
from types import MappingProxyType

from search.results import ORIGINAL, SEARCH, SIMPLE
from search.trial_record import COMPLETE, FAILED, INFEASIBLE, STOPPED

MODELS: Mapping[str, str] = MappingProxyType({ORIGINAL: "#7d8794", SIMPLE: "#e08a00", SEARCH: "#1f83d6"})
"""By the label of a result."""

STATES: Mapping[str, str] = MappingProxyType(
    {COMPLETE: "#0fa679", STOPPED: "#cc79a7", INFEASIBLE: "#7d8794", FAILED: "#d55e00"}
)
"""By the state of a trial."""

SYMBOLS: Mapping[str, str] = MappingProxyType(
    {COMPLETE: "circle", STOPPED: "circle-open", INFEASIBLE: "line-ns-open", FAILED: "x"}
)
"""Of markers, likewise: colour is never all that tells states apart."""

STATE_NAMES: Mapping[str, str] = MappingProxyType(
    {COMPLETE: "trial", STOPPED: "trial, stopped early", INFEASIBLE: "over the budget", FAILED: "failed"}
)
"""In legends."""

FINALISTS = "#8c6bd1"
"""What was fine-tuned in the finals."""
