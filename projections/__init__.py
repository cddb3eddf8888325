"""Rows for readers: the books turned into ClickHouse tables that can be rebuilt at any time."""
