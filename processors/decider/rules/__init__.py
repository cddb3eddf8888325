"""A ruleset: its model and checks, the functions that it is compiled into, and what they would say of a fact."""
