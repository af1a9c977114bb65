"""Meetings from files: the audio goes the same way as from a room, without LiveKit."""
