from .folder import folder as folder
