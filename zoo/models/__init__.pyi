from .registry import build_model as build_model
