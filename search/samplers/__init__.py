"""Samplers, which propose candidates: the layered sampler, Optuna's and OptunaHub's; starts; and results of the
sensitivity sweep.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
