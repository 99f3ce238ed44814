"""Studies: how trials, judgements, rungs and finalists are stored, in a journal, in SQLite or on a server."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
