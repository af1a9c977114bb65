"""Decides which meetings have an agent: leases, epochs, jobs, lifecycle."""
