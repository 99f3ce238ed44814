"""The schema of a configuration: one class per section, ``RunConfig`` for the whole."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
