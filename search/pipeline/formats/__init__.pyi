from .format import Format as Format
from .format import formats as formats
