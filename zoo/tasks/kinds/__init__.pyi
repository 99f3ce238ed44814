from .classification import Classification as Classification
from .image_to_image import ImageToImage as ImageToImage
from .multilabel import Multilabel as Multilabel
from .regression import Regression as Regression
from .segmentation import Segmentation as Segmentation
from .super_resolution import SuperResolution as SuperResolution
