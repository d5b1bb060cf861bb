"""How often and how long: numbers about what was done."""
