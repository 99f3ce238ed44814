"""Pruning criteria, one module each: a module named ``x`` with a function ``criterion(images)`` is the criterion ``x``
of configurations, and nothing else has to know of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
