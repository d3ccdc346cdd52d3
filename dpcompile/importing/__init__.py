"""The trainer's own files -> a job that trains the same, and what was wrong with them all along."""
