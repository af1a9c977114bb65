"""Redis, the streams and LiveKit, as the dispatcher sees them."""
