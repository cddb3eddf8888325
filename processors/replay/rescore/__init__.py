"""Decides the journal again under other rules beside those of the books, and tells every difference with its cause."""
