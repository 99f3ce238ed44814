from .fine_tuning import FineTuning as FineTuning
from .metric import Metric as Metric
from .metric import Score as Score
from .metric_choice import choose_metric as choose_metric
from .proxy import AccuracyProxy as AccuracyProxy
from .proxy import ProxyResult as ProxyResult
from .proxy import ProxySettings as ProxySettings
