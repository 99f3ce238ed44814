"""Pruning and Tucker decomposition of a Keras model: a model goes in, a smaller plain model comes out. Begin with
``analyse`` (which channels are coupled) and ``apply_parameters`` (ratios and ranks made real). This package knows no
data and no search.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
