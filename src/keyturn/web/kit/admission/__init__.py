"""Who asks, how often, from where, and how slowly: what every door looks at before it does anything."""
