from .layered import LayeredSampler as LayeredSampler
from .quasi_random import QuasiRandomSampler as QuasiRandomSampler
