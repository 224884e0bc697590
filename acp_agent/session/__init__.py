"""Sessions: what was said, what may be done, and the one loop that asks a model and runs its tools."""
