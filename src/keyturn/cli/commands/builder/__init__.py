"""What an author does with a connector before it is published."""
