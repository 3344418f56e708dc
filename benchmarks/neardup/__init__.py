"""Parts of ``benchmarks/dedup.py``; each ``peer_*.py`` is a whole program for a Python that has the peer."""
