"""A ruleset as the decider uses it: its model, compiled once per version into functions."""
