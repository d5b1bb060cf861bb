"""The control plane: everything of REST but the calls themselves; admin rights live here, no token passes through."""
