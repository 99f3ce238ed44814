"""Replacing a convolution by a chain of cheaper ones: Tucker-2, SVD and CP."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
