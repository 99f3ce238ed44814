"""What is stored of a trial, and where: records, judgements, rungs, finalists; journal, SQLite or a server."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
