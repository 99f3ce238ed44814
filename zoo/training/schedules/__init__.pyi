from .constant import CONSTANT as CONSTANT
from .cosine import COSINE as COSINE
from .one_cycle import ONE_CYCLE as ONE_CYCLE
from .plateau import PLATEAU as PLATEAU
