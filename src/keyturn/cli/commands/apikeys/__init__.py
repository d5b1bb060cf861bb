"""`keyturn apikey …`."""
