from .batches import ImageBatches as ImageBatches
from .checks import check_dataset as check_dataset
from .dataset import ImageDataset as ImageDataset
from .dataset import Normalization as Normalization
from .dataset import Split as Split
from .load import load_dataset as load_dataset
