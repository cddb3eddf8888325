"""Fills ClickHouse tables from the books, for readers; they can be made again from the books at any time.

A table and the comments of its columns stand in `migrations/`, what readers see in `views/`, business questions in
`questions/`, and queries that must return no rows in `audits/`: a new `.sql` file there is a new audit.
"""
