"""Turns recognised speech into the numbered, attributed transcript."""
