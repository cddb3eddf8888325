"""Rulesets on the command line: a file checked, a version published, the timeline shown."""
