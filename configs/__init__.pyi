from .load import check_config as check_config
from .load import dump_config as dump_config
from .load import load_config as load_config
from .schema.run import RunConfig as RunConfig
