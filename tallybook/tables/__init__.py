"""The ClickHouse tables of a folder: opened, kept level with the books, and asked."""
