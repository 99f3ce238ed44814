"""What each type of layer and each ``keras.ops`` operation does to channels: one ``LayerRule`` per type, in tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
