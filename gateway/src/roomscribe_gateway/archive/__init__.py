"""The read model in the database, fed from the streams."""
