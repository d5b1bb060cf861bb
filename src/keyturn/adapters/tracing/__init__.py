"""Traces: spans of OpenTelemetry, and the ports that make them."""
