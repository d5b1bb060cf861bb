"""What the overview shows, read once for everybody who looks at the same moment."""
