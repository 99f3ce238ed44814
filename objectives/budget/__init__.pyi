from .budget import Budget as Budget
from .budget import Limit as Limit
from .recommendation import Recommendation as Recommendation
from .recommended import Recommender as Recommender
