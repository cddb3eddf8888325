"""Reads what publishers send, and admits it as facts or refuses it with a typed reason."""
