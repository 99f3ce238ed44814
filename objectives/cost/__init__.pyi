from .cost import Cost as Cost
from .cost import CostModel as CostModel
from .latency import Latency as Latency
from .latency import LatencySettings as LatencySettings
from .latency import measure_latency as measure_latency
from .latency_table import LatencyTable as LatencyTable
from .memory import PeakMemory as PeakMemory
