"""What `tuckprune doctor` looks at: whether a machine has what a search needs, computes right, and how fast."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
