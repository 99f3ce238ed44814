"""The loop of a search: propose, judge at ever more steps, record; then the finals. Listeners follow its progress."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
