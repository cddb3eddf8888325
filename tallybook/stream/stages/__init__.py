"""Runs one stage of a deployment as a process, with its log, metrics and health."""
