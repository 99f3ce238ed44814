from .standard import FLOPS as FLOPS
from .standard import LATENCY as LATENCY
from .standard import MEMORY as MEMORY
from .standard import PARAMS as PARAMS
from .standard import SIZE as SIZE
