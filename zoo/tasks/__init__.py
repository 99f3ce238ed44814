"""Tasks: what images are given to a model for, what its training minimizes, what it is measured and ranked by."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
