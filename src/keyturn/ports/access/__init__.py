"""Who may call, and how often: what the engine needs to know callers by, and to hold abuse back."""
