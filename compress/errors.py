"""The exceptions that tuckprune raises on purpose: one tree, one line of message each."""


class TuckpruneError(Exception):
    """Base of all of them: what was expected, what was received, what to do."""


class ModelError(TuckpruneError):
    """A model that cannot be read or analysed."""


class ParameterError(TuckpruneError):
    """Pruning ratios or ranks that are malformed or do not fit the model."""


class BudgetError(TuckpruneError):
    """A budget that is malformed or cannot be reached."""


class DataError(TuckpruneError):
    """Images or labels that are missing, corrupt, or do not fit the model."""


class ConfigError(TuckpruneError):
    """A configuration file with unknown keys or impossible values."""


class RunError(TuckpruneError):
    """A run folder that cannot be used."""


class DivergenceError(TuckpruneError):
    """A loss or an output that stopped being finite."""
