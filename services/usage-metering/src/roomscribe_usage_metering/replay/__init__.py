"""A ledger from a file of evidence, without a database: for audits and what-ifs."""
