"""What the provider asks in between: questions, codes, and confirmations on another device."""
