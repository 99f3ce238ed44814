from .section import SectionMaker as SectionMaker
from .section import sections_of as sections_of
from .summary import facts as facts
from .summary import lead as lead
from .summary import tiles as tiles
