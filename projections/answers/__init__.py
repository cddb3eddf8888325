"""The queries behind the command line's answers."""
