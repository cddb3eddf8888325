"""Queries that must return no rows, each the proof of one law."""
