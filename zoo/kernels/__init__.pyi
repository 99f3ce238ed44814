from .replacement import own_kernels as own_kernels
