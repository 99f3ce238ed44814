"""The report of a run: one HTML page that opens without a network, and its figures as PNG."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
