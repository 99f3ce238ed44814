"""Model files: ``.keras`` and ``.h5`` of Keras 3, ``.h5`` and SavedModel of Keras 2, read without executing code in
them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
