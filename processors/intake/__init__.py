"""The door: reads what publishers send, refuses what is wrong with a typed reason, and keeps it."""
