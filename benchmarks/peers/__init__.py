"""Others' software that is measured beside ours, each in an environment of its own that is not in our lock."""
