"""The REST API: the zone that holds the rights of operators and developers."""
