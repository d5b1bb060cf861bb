"""Which URLs, hosts and addresses may be reached."""
