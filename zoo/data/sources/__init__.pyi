from .bundled import cifar as cifar
from .bundled import digits as digits
