"""Explanations: how a fact became points, or why it did not."""
