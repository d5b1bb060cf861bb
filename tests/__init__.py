"""The tests; a package, so that no other one named `tests` stands before it."""
