"""What the person whose account is connected can do with the connection, without an account of keyturn."""
