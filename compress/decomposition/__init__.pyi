from .cp import decompose_cp as decompose_cp
from .kernel_bases import BasesCache as BasesCache
from .svd import decompose_svd as decompose_svd
from .tucker import decompose as decompose
from .tucker import tucker2 as tucker2
