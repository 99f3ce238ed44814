"""The sections of the report, each made from the view of a run. A new file with a function that is decorated with
``@section`` is a new section.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
