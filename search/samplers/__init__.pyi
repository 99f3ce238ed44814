from .layered import LayeredSampler as LayeredSampler
from .registry import SamplerContext as SamplerContext
from .registry import samplers as samplers
from .sensitivity import Probe as Probe
from .sensitivity import Sensitivity as Sensitivity
from .starts import starts as starts
from .study_view import StudyView as StudyView
from .surrogate import Surrogate as Surrogate
