"""What only the whole file can tell, by subject; each function notes what is wrong with a file that was read."""
