"""Work that outlives a request: what a kind of job is, and who runs those that are due."""
