"""What the fields of a ruleset may hold: scalars, conditions, expiries, limits and examples."""
