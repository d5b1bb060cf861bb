"""Changing one value of a connector file, so that everything else stays as its author wrote it."""
