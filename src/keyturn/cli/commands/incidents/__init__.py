"""What is done while something is going wrong."""
