from .files import read_parameters as read_parameters
from .files import write_parameters as write_parameters
from .format import ParameterFile as ParameterFile
