"""The kinds of rules: a file for each has its fields, checks, warnings and source, and what `explain` says of it.

A new kind is a file here and a line in `registry.py`.
"""
