"""Ledgers, invoices and forecasts on the terminal."""
