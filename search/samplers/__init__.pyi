from .probes import Probe as Probe
from .registry import sampler_kinds as sampler_kinds
from .registry import samplers as samplers
from .sampler import SamplerContext as SamplerContext
from .sampler import SamplerKind as SamplerKind
from .sensitivity import Sensitivity as Sensitivity
from .study_view import StudyView as StudyView
from .surrogate import Surrogate as Surrogate
