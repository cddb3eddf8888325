"""Proposes a column mapping for a file by looking at its header and its first rows."""
