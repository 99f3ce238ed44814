from .declared_size import check_declared as check_declared
from .whole_file import remove_whole as remove_whole
from .whole_file import replaced as replaced
from .whole_file import write_whole as write_whole
