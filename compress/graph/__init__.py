"""Which channels of a model are coupled: the analysis, its groups, and how many channels a ratio leaves where."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
