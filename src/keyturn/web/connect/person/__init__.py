"""What the person whose account is connected sees of the connection afterwards."""
