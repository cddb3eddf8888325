"""The demo: a seeded year of a coffee chain, from events to a leaderboard."""
