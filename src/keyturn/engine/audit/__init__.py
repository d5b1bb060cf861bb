"""What is done with the audit log: verified, exported, anchored, kept for so long, and freed of a person's name."""
