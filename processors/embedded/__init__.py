"""Journals, decides and commits facts on one machine, without any server."""
