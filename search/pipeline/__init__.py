"""The stages of a run as functions: train, search, judge again, compress, ship, dry run. The command line only calls
these.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
