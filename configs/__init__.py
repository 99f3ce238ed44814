"""What a YAML file of a run may say: its typed schema, and reading it. Only ``search`` reads configurations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
