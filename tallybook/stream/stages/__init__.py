"""One stage of a deployment as a process: made, run, logged and observed."""
