"""The course of one trial, from the login to the revocation."""
