"""Layouts of image folders: folders of classes, pairs of files, a table, or sharp images that are reduced."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
