"""What a provider asks in between: the questions, what its answer gives for the next request, and TOTP codes."""
