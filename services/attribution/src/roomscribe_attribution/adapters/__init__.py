"""What attribution knows of the bus."""
