"""Where images come from: packages, folders, ``.npz`` files, user functions; with splits, checks and batches."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
