from .running import ExplainedVariance as ExplainedVariance
from .running import JoinedFigures as JoinedFigures
from .running import KerasFigures as KerasFigures
from .running import MeanFigures as MeanFigures
from .running import RunningFigures as RunningFigures
from .running import WholeFigures as WholeFigures
from .scoring import Scoring as Scoring
