"""Every published number, and how to measure it again; see README.md."""
