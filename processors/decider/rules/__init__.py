"""A ruleset: its model and checks, the functions that it is compiled into, and why a rule takes part or not."""
