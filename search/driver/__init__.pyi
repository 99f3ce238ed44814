from .driver import Driver as Driver
from .driver_settings import DriverSettings as DriverSettings
from .finals import Finals as Finals
from .listeners.listener import Listener as Listener
from .rungs import Halving as Halving
from .rungs import Ladder as Ladder
from .sweep import Sweep as Sweep
