"""tamis: sift crawls into corpora, shape data for trainers, measure models, learn from bad cases."""

__version__ = "0.1.0"

__all__ = ["__version__"]
