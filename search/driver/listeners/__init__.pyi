from .listener import Listener as Listener
from .listener import Listeners as Listeners
from .ray_metrics import RayMetrics as RayMetrics
from .run_log import RunLog as RunLog
from .tracker import Tracker as Tracker
