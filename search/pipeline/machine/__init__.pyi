from .check import Check as Check
from .examination import examined as examined
