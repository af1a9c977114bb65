"""Loads the shared fixtures for every test of the workspace."""

pytest_plugins = ["roomscribe_common.testing.fixtures", "roomscribe_common.testing.last_exit"]
