from .accuracy import accuracy_against as accuracy_against
from .finals import proxy_and_final as proxy_and_final
from .history import history as history
from .importance import importances as importances
from .layers import flops as flops
from .layers import ranks as ranks
from .layers import ratios as ratios
from .timeline import timeline as timeline
