"""Key providers: where the key that wraps data keys comes from."""
