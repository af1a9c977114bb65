"""What media-ingest decides: pure functions of samples, probabilities and times."""
