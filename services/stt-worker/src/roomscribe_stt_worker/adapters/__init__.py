"""What touches threads and the wire."""
