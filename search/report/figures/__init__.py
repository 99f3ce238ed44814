"""The figures of the report, made with Plotly. A new file with a function that is decorated with ``@figure`` is a new
figure.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
