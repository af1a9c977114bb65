"""Contracts, subjects, streams and plumbing shared by every Roomscribe process."""
