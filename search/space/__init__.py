"""The search space: preferences of a sampler, decoded to ratios and ranks on a grid and projected onto the budget."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
