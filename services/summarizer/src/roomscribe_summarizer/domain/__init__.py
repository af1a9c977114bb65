"""What a transcript and minutes are, and what may stand in minutes."""
