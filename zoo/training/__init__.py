"""Training a model: its settings, fit and evaluate, a checkpoint after every epoch, the best weights at the end."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
