"""Workers, which judge candidates: Ray actors in a pool that replaces lost ones, on this machine or on a cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
