"""One module per command; each has `register(app)` and imports what it needs only when the command runs."""
