"""Removing channels: which ones (criteria, layer norms, policies), how, and refitting what is left (reconstruction)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
