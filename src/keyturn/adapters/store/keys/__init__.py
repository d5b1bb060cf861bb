"""Which wrapping keys there are, what each wraps, and moving it to another."""
