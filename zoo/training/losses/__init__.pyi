from .cross_entropy import of_logits as of_logits
from .cross_entropy import of_probabilities as of_probabilities
