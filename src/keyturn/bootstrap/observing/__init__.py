"""What an operator sees of a running keyturn: metrics, readiness, traces."""
