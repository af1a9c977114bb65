"""One pydantic class per message, one module per event family."""
