"""Puts an agent into each room and turns every track into utterances."""
