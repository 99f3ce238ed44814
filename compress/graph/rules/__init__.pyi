from .layer_rule import LayerCall as LayerCall
from .layer_rule import LayerRule as LayerRule
from .layers import rule_for as rule_for
