"""What the zones share: problem answers and security headers; knows no zone."""
