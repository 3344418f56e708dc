"""Text kernels over Arrow string buffers: tokens, lines, shingles and signatures without Python objects."""

from tamis.text.batch import TextBatch

__all__ = ["TextBatch"]
