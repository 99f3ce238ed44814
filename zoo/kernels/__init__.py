"""How single operations are computed where TensorFlow's own are wrong or slow, and what the hardware is good at."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
