from .run import RunConfig as RunConfig
from .search import FinalsConfig as FinalsConfig
from .search import SearchConfig as SearchConfig
from .training import FinetuneConfig as FinetuneConfig
from .training import TrainingConfig as TrainingConfig
