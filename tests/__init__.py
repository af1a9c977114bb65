"""Whole-product tests, on real servers."""
