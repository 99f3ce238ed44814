from .geometric_median import GeometricMedian as GeometricMedian
from .l2_norm import L2Norm as L2Norm
from .nuclear_norm import NuclearNorm as NuclearNorm
