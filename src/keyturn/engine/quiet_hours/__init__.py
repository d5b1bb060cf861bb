"""Times in which a provider is left alone: an operator names them, and all that can wait keeps to them."""
