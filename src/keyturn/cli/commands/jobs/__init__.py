"""Jobs: asked for, watched, ended."""
