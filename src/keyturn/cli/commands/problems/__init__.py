"""Commands that say what a problem code means."""
