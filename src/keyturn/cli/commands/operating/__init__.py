"""Commands that look at an instance as a whole."""
