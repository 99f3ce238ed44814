from .compiled import CompiledTraining as CompiledTraining
from .outputs import OutputsTraining as OutputsTraining
