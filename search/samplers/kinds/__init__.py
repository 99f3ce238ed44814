"""The samplers, in files of their own: whatever a module here registers with ``@sampler`` can be chosen by its name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
