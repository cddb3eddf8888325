"""Rounds on one machine: facts are journalled, decided and committed without any server."""
