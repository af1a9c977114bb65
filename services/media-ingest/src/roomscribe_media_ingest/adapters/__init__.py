"""The edges of media-ingest: models, buses and rooms."""
