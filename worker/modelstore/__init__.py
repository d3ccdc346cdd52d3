"""Model files on the volume: asked for, downloaded, verified, and shared by all jobs."""
