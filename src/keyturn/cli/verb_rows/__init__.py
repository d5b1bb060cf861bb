"""Rows of the table of verbs, where one noun has many."""
