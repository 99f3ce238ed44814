"""Reading a model as a flat sequence of layer calls, and making another from it: walk, copy, rebuild."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
