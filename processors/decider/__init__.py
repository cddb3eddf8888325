"""Decides what a fact is worth under the rules, and what that does to an account; pure, without clock or I/O."""
