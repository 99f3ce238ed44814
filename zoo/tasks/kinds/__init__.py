"""The tasks that configurations can name: every file here holds a subclass of `Task`, and needs no other mention."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
