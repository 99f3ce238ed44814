"""How ratios and ranks are searched: both at once (joint), or stage by stage (staged); and what precedes the first
trial.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
