"""What is drawn by the server itself."""
