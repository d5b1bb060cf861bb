"""Telling the operator by mail what needs somebody."""
