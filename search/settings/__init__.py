"""Turns the sections of a configuration into the settings and objects of packages that do not know configurations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
