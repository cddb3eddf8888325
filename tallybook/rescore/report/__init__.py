"""Makes the report of a re-scoring: a page for people who do not use the command line."""
