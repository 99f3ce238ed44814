"""Image files: where they lie, how they become pixels, and arrays of which the images stay in their files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
