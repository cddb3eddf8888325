"""Opens a folder's ClickHouse tables, brings them up to date with the books, and asks them."""
