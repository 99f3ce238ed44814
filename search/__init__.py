"""Importing any module of this package first prepares what TensorFlow and Ray read when they are loaded."""

from search.environment import prepare_environment

prepare_environment()
