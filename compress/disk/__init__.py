"""Safe reading and writing of files: sizes that a file declares are checked, and what is written appears whole."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
