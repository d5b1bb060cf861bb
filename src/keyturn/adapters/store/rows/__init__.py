"""How values become rows and rows values, sealed parts included."""
