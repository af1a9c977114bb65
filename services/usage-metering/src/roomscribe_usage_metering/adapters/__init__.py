"""The database, LiveKit and the price file behind small classes."""
