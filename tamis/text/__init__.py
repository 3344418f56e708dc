"""Text kernels over Arrow string buffers: tokens, lines, shingles and signatures without Python objects."""

from pathlib import Path

from tamis.text.batch import TextBatch
from tamis.text.cache import drop_stale

drop_stale(Path(__file__).resolve().parent.parent)

__all__ = ["TextBatch"]
