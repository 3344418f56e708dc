"""Models: fetching them, and the backends that run them."""
