"""The ledger: exact billable minutes from events."""
