"""The ledger's rules: pure functions over evidence, no clock, no I/O."""
