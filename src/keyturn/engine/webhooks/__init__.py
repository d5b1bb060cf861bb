"""Telling others what happened: events follow from the audit log and are delivered to whoever wants them."""
