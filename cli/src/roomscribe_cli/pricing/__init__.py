"""Estimates and the cost model on the terminal and as a page: the engine's answers, shown."""
