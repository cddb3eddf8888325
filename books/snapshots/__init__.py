"""Snapshots of accounts: a cache that saves reading a ledger from its beginning."""
