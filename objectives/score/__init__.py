"""The score of a candidate: a short repair (recalibration, steps of training), then a metric on validation images."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
