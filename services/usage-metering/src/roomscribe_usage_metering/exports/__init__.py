"""The ledger for other systems: usage sent to them at least once under stable ids, signed webhooks, files."""
