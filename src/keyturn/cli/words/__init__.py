"""What words of the command line name."""
