from .proof import NotTraced as NotTraced
from .traces import Traces as Traces
from .traces import why_whole as why_whole
