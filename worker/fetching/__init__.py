"""Bringing the data of a job onto the volume, whole and tidy, and keeping it for the next job."""
