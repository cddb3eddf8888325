"""Re-scoring on the command line: plans a run, decides it in processes, keeps what was found, and shows it."""
