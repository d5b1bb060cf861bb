"""TLS of the command line: its server is verified by the rules of the product, as every other host is.

Rule 1: light to load, since every command loads it: of the adapters only the module of these rules.
"""

from __future__ import annotations

from keyturn.adapters.tls_rules import certificate_fault
from keyturn.adapters.tls_rules import machine_context as client_context

__all__ = ["certificate_fault", "client_context"]
