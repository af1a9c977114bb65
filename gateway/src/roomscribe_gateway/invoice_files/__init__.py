"""An invoice as a file: a table for spreadsheets, and a PDF to hand to a customer."""
