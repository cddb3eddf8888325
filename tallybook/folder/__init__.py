"""A programme's folder on one machine: its books, rules, imports, workers and kept rejects."""
