"""Pure rules: positions, transcript formats, what the page of a list is."""
