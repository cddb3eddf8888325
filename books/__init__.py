"""The append-only books: the journal of facts and the ledger of postings."""
