"""What is kept and told of how keyturn runs."""
