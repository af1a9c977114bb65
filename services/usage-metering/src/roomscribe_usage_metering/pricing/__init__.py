"""Prices what was used and what might be used alike. Pure: no clock, no network, no database, no floats.

A price book's version and quantities by meter go in, rated lines come out (`rating.rate`); estimates, the cost model,
invoices and comparisons are built on that one function.
"""
