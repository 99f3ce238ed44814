"""FLOPs, parameters, bytes, peak memory and latency of candidates, computed without building them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
