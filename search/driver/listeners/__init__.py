"""Listeners that follow a search: the log of the run, Ray's metrics, TensorBoard, MLflow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
