"""What the building of connectors takes and gives."""
