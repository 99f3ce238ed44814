from .choice import decided as decided
from .job import Job as Job
from .joint import run_joint as run_joint
from .preparation import prepared as prepared
from .staged import run_staged as run_staged
