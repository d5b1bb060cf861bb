"""Forms that could not be done yet, and what happens to what was typed into them."""
