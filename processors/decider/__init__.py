"""The pure heart: what a fact is worth under the rules, and what that does to an account."""
