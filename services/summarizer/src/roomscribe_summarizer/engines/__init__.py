"""Ways to write minutes, behind one protocol."""
