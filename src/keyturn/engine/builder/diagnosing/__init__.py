"""What failed in a trial, in the words of whoever can change the connector."""
