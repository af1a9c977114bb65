"""Server-sent events straight from the streams."""
