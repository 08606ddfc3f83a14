"""The compiled path against the Python that specifies it."""
