from .decoding import Decoding as Decoding
from .file_array import FileArray as FileArray
from .image_files import ImageFiles as ImageFiles
