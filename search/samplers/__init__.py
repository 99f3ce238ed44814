"""Who proposes: the layered sampler, Optuna's and OptunaHub's by name, starts, and the sensitivity sweep they learn
from.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
