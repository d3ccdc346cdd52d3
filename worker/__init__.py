"""The worker: runs the plan of a job on a rented machine, from fetching the data to publishing the model."""
