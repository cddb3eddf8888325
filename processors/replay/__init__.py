"""Reads the recorded books again: to recover after a stop, and to prove that the ledger follows from the journal."""
