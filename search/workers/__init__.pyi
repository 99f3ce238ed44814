from .cluster import PoolSettings as PoolSettings
from .cluster import Share as Share
from .pool import WorkerPool as WorkerPool
from .pool_factory import ray_pool as ray_pool
from .shutdown import Shutdown as Shutdown
from .worker import FinalTask as FinalTask
from .worker import Task as Task
from .worker import TrialWorker as TrialWorker
