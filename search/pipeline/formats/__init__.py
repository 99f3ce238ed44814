"""The file formats that ``tuckprune ship`` writes. A new file that holds a `Format` is a new format."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
