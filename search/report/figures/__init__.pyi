from .accuracy import accuracy_against as accuracy_against
from .figure import Figure as Figure
from .finals import proxy_and_final as proxy_and_final
from .importance import importances as importances
from .layers import flops as flops
from .layers import ranks as ranks
from .layers import ratios as ratios
