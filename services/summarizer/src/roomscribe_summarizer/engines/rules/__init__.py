"""What the extractive engine knows of English meetings: one module per kind of statement."""
