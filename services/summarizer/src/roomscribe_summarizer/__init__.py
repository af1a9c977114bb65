"""Writes the minutes, every item with checked citations."""
