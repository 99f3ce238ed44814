"""The samplers that a configuration can choose: functions that are decorated with ``@sampler`` in a module here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
