"""The search for the best ratios and ranks, from a configuration to exported files: ``train_model``, ``run_search``,
``export_run``, ``compress_own``. Importing it first sets the environment that TensorFlow and Ray read when they are
loaded.
"""

import lazy_loader

from search.environment import prepare_environment

prepare_environment()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
