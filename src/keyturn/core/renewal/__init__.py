"""When to renew, with what, and what follows."""
