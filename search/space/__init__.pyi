from .levels import Levels as Levels
from .projection import Projection as Projection
from .space import SearchSpace as SearchSpace
from .space_arrays import Candidates as Candidates
from .space_arrays import SpaceArrays as SpaceArrays
from .space_arrays import SpaceSettings as SpaceSettings
