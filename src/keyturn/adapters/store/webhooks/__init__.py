"""Webhook endpoints, deliveries and events."""
