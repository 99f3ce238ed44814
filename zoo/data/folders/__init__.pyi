from .class_files import folder_files as folder_files
from .parts import part_folders as part_folders
