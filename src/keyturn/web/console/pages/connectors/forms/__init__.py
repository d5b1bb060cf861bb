"""The forms of the nine steps: which inputs each has, and the way from a file to them and back."""
