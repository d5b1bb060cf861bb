"""Where events, endpoints and deliveries rest."""
