"""What a candidate costs and how good it is: cost without building it, budgets, the network that all candidates share,
and the score after a short repair.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
