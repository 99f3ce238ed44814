"""NPTK's models for small images, and smaller ones; ``build_model`` makes them by name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
