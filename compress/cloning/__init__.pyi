from .layer_copy import copy_layer as copy_layer
from .layer_copy import copy_weights as copy_weights
from .layers import layers_by_name as layers_by_name
from .rebuild import copy_model as copy_model
from .walk import Call as Call
from .walk import as_functional as as_functional
from .walk import calls as calls
