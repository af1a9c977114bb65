"""The streams minutes are made from."""
