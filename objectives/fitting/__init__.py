"""Built models trained and scored by Keras's own compile, fit and evaluate: as compiled, or a task for each output."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
