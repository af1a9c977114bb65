"""Recurring meetings: a rule whose next occurrences exist as scheduled meetings."""
