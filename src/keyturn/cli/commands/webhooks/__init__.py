"""`keyturn webhook …`."""
