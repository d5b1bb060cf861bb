"""Keys of the file that several parts of it, or none of the nine steps alone, share: a module for each subject."""
