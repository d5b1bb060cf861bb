"""What helps an author: the nine steps in words, a curl command read, two versions compared, what is near a path."""
