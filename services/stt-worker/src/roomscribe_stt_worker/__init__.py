"""Speech to text: claims utterances, publishes interims and finals."""
