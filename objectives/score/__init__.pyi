from .fine_tuning import FineTuning as FineTuning
from .proxy import ProxyResult as ProxyResult
from .proxy import ProxySettings as ProxySettings
from .proxy import ScoreProxy as ScoreProxy
