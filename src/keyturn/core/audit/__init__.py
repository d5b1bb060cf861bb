"""The audit log's chain: how records are tied to each other, and what is signed of it."""
