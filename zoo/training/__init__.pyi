from .callbacks import BestWeights as BestWeights
from .callbacks import DivergenceGuard as DivergenceGuard
from .checkpoint import Checkpoint as Checkpoint
from .evaluation import evaluate as evaluate
from .training import TrainingResult as TrainingResult
from .training import TrainingSettings as TrainingSettings
from .training import train as train
