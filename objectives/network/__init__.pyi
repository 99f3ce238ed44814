from .distillation import Distillation as Distillation
from .network import Network as Network
from .precision import Precision as Precision
from .precision import fast_precision as fast_precision
