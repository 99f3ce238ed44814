from .files import load_model as load_model
from .files import save_model as save_model
from .files import saved_size as saved_size
