"""The strategies of a search, ratios and ranks together (joint) or stage by stage (staged), and its preparation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
